// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "abi/tables.h"
#include "model/event.h"

namespace loopsnoop::collector {

// Wire records to model values. Nothing on the wire is trusted to be whole: a record that is shorter than it says is dropped.
[[nodiscard]] std::optional<Event> decode_record(std::span<const std::byte> record);
[[nodiscard]] RawWait decode_wait(const ls_wait &wire, std::span<const std::byte> stack);
[[nodiscard]] LoopState decode_loop(const ls_loop &loop, std::uint32_t slot);
[[nodiscard]] ProcessActivity decode_activity(const ls_activity &wire);
[[nodiscard]] ThreadSnapshot decode_snapshot(const ls_snapshot &wire);
[[nodiscard]] UnfollowedThread decode_census(const ls_census &wire);

} // namespace loopsnoop::collector

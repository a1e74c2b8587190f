// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/stall.h"
#include "process/procfs.h"

namespace loopsnoop::process {

// The TCP and unix sockets that the process listens on, as they are now, by address. nullopt: its descriptors may not be read, or
// it is gone. Goes through its descriptors and the socket tables of its network namespace once.
[[nodiscard]] std::optional<std::vector<Listener>> listeners(const ProcFs &procfs, std::uint32_t pid);

} // namespace loopsnoop::process

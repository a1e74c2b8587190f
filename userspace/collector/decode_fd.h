// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "abi/records.h"
#include "model/descriptor.h"

namespace loopsnoop::collector {

[[nodiscard]] DescriptorSnapshot decode_fd(const ls_fd &fd);

// The child that a wait4 or waitid names; nullopt: any child.
[[nodiscard]] std::optional<std::uint32_t> child_of_call(std::int32_t syscall, std::uint64_t arg0, std::uint64_t arg1);

} // namespace loopsnoop::collector

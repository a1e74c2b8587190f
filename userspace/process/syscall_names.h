// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

namespace loopsnoop::process {

// System calls of this CPU (64-bit table). nullopt: a number newer than the table; print "syscall_NNN" then.
[[nodiscard]] std::optional<std::string_view> syscall_name(long number);
[[nodiscard]] std::optional<long> syscall_number(std::string_view name);

} // namespace loopsnoop::process

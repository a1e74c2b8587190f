// SPDX-License-Identifier: Apache-2.0
#include "process/syscall_names.h"

#include <algorithm>
#include <iterator>

#include "arch/cpu.h"

namespace loopsnoop::process {

namespace {

using arch::Syscall;
using arch::syscalls;

constexpr bool ascending(const Syscall &a, const Syscall &b) { return a.number < b.number; }

} // namespace

std::optional<std::string_view> syscall_name(long number) {
	const auto *const found = std::lower_bound(std::begin(syscalls), std::end(syscalls), Syscall{number, {}}, ascending);
	if (found == std::end(syscalls) || found->number != number) {
		return std::nullopt;
	}
	return found->name;
}

std::optional<long> syscall_number(std::string_view name) {
	const auto *const found =
	    std::find_if(std::begin(syscalls), std::end(syscalls), [&](const Syscall &entry) { return entry.name == name; });
	if (found == std::end(syscalls)) {
		return std::nullopt;
	}
	return found->number;
}

} // namespace loopsnoop::process

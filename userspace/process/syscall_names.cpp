// SPDX-License-Identifier: Apache-2.0
#include "process/syscall_names.h"

#include <algorithm>
#include <iterator>

namespace loopsnoop::process {

namespace {

struct Entry {
	long number;
	std::string_view name;
};

// No std::array: deducing one from so many is past the nesting limit of clang.
constexpr Entry entries[] = {
#define LS_SYSCALL(number, name) Entry{number, #name},
#include "process/syscalls.def"
#undef LS_SYSCALL
};

constexpr bool ascending(const Entry &a, const Entry &b) { return a.number < b.number; }
static_assert(std::is_sorted(std::begin(entries), std::end(entries), ascending));

} // namespace

std::optional<std::string_view> syscall_name(long number) {
	const auto *const found = std::lower_bound(std::begin(entries), std::end(entries), Entry{number, {}}, ascending);
	if (found == std::end(entries) || found->number != number) {
		return std::nullopt;
	}
	return found->name;
}

std::optional<long> syscall_number(std::string_view name) {
	const auto *const found =
	    std::find_if(std::begin(entries), std::end(entries), [&](const Entry &entry) { return entry.name == name; });
	if (found == std::end(entries)) {
		return std::nullopt;
	}
	return found->number;
}

} // namespace loopsnoop::process

// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/gils.h"

#include <algorithm>

#include "runtimes/cpython/walk.h"

namespace loopsnoop::runtimes::cpython {

std::optional<std::uint64_t> Gils::of(std::uint64_t interpreter) const {
	if (offsets_.runtime.gil) {
		return runtime_ + *offsets_.runtime.gil;
	}
	const auto gil = memory_.read_value<std::uint64_t>(interpreter + offsets_.interpreter.gil.value_or(0));
	return gil && *gil != 0 ? gil : std::nullopt;
}

std::optional<std::uint64_t> Gils::of_main() const {
	const auto interpreters = walk_interpreters(memory_, offsets_, runtime_);
	return interpreters.empty() ? std::nullopt : of(interpreters.back());
}

std::uint64_t Gils::holder(std::uint64_t gil) const {
	const auto locked = memory_.read_value<std::int32_t>(gil + offsets_.gil.locked);
	return locked == 1 ? memory_.read_value<std::uint64_t>(gil + offsets_.gil.last_holder).value_or(0) : 0;
}

std::vector<AddressRange> Gils::ranges() const {
	std::vector<AddressRange> ranges;
	for (const std::uint64_t interpreter : walk_interpreters(memory_, offsets_, runtime_)) {
		const auto gil = of(interpreter);
		if (!gil) {
			continue;
		}
		const AddressRange range{*gil + offsets_.gil.futexes_begin, *gil + offsets_.gil.futexes_end};
		if (std::ranges::find(ranges, range) == ranges.end()) {
			ranges.push_back(range);
		}
	}
	return ranges;
}

void Gils::place(PythonLayout &layout, std::uint64_t gil) const {
	layout.gil_begin = gil + offsets_.gil.futexes_begin;
	layout.gil_end = gil + offsets_.gil.futexes_end;
	layout.gil_locked = gil + offsets_.gil.locked;
	layout.gil_last_holder = gil + offsets_.gil.last_holder;
}

} // namespace loopsnoop::runtimes::cpython

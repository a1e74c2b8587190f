// SPDX-License-Identifier: Apache-2.0
#include "cli/unanswered.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/escape.h"

namespace loopsnoop::cli {

std::string unanswered_lines(std::span<const foreign::Unanswered> places) {
	constexpr std::size_t max_bytes = 1024;
	std::string lines;
	for (const foreign::Unanswered &place : places) {
		lines += fmt::format("loopsnoop: {}\n", printable(place.sentence(), max_bytes));
	}
	return lines;
}

void print_unanswered() { fmt::print(stderr, "{}", unanswered_lines(foreign::access().unanswered())); }

} // namespace loopsnoop::cli

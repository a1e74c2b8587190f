// SPDX-License-Identifier: Apache-2.0
#include "cli/unanswered.h"

#include <fmt/format.h>

#include <cstdio>

#include "base/escape.h"
#include "foreign/access.h"

namespace loopsnoop::cli {

void print_unanswered() {
	constexpr std::size_t max_bytes = 1024;
	for (const foreign::Unanswered &place : foreign::access().unanswered()) {
		fmt::print(stderr, "loopsnoop: {}\n", printable(place.sentence(), max_bytes));
	}
}

} // namespace loopsnoop::cli

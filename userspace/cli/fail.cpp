// SPDX-License-Identifier: Apache-2.0
#include "cli/fail.h"

#include <cstddef>
#include <cstdio>

#include <fmt/format.h>

#include "base/escape.h"

namespace loopsnoop::cli {

void complain(std::string_view line) {
	constexpr std::size_t max_bytes = 4096;
	fmt::print(stderr, "loopsnoop: {}\n", printable(line, max_bytes));
}

int fail(const Error &error) {
	complain(error.describe());
	return 1;
}

} // namespace loopsnoop::cli

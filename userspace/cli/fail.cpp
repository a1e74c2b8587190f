// SPDX-License-Identifier: Apache-2.0
#include "cli/fail.h"

#include <cstddef>
#include <cstdio>

#include <fmt/format.h>

#include "base/escape.h"

namespace loopsnoop::cli {

int fail(const Error &error) {
	constexpr std::size_t max_bytes = 4096;
	fmt::print(stderr, "loopsnoop: {}\n", printable(error.describe(), max_bytes));
	return 1;
}

} // namespace loopsnoop::cli

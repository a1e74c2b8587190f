// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "base/result.h"

namespace loopsnoop::cli {

// One line on stderr, after the program's name. Arguments may be in it: escaped.
void complain(std::string_view line);

// Says on stderr, in one line, why a command could not start or go on; returns its exit status, 1. Arguments may be in it:
// escaped.
[[nodiscard]] int fail(const Error &error);

} // namespace loopsnoop::cli

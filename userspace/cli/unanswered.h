// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "foreign/access.h"

namespace loopsnoop::cli {

// What could not be read because a file system or a process's memory did not answer: a line each. Names of others are in it:
// escaped.
[[nodiscard]] std::string unanswered_lines(std::span<const foreign::Unanswered> places);
// Those of this process, on stderr.
void print_unanswered();

} // namespace loopsnoop::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace loopsnoop::output {

// Whole lines, each broken at blanks where it is wider than `columns`, and inside a word only where that alone is wider; what
// goes on is indented further than the line it belongs to. SGR sequences ("\x1b[1m") take no column. Narrow terminals (below 40
// columns) are left to break lines themselves.
[[nodiscard]] std::string wrap_lines(std::string_view lines, std::size_t columns);

} // namespace loopsnoop::output

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace loopsnoop::output {

inline constexpr std::size_t name_columns = 160; // thread names, functions, states
inline constexpr std::size_t path_columns = 400; // paths, sentences

// A string of the target made fit for a terminal or a log: control and bidirectional characters as "\x1b" or "\u202e", bytes
// that are no UTF-8 as "\xff". Longer than `most` characters: the middle is left out ("…"), and no more than that is looked at.
[[nodiscard]] std::string printable(std::string_view text, std::size_t most = name_columns);

// Columns that well-formed text takes on a terminal, wide characters as two; escape sequences must not be in it.
[[nodiscard]] std::size_t columns_of(std::string_view text);

// The first `columns` columns of it.
[[nodiscard]] std::string_view cut_to_columns(std::string_view text, std::size_t columns);

} // namespace loopsnoop::output

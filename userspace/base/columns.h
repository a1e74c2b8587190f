// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>

namespace loopsnoop {

// Columns that well-formed text takes on a terminal, wide characters as two; escape sequences must not be in it.
[[nodiscard]] std::size_t columns_of(std::string_view text);

// The first `columns` columns of it.
[[nodiscard]] std::string_view cut_to_columns(std::string_view text, std::size_t columns);

} // namespace loopsnoop

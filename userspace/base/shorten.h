// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace loopsnoop {

// Well-formed text that takes at most `columns` (more than a few), its middle left out where it has to be ("…").
[[nodiscard]] std::string cut_middle(std::string_view text, std::size_t columns);

// A sentence with names of C++ and Rust in it, short enough: first their template arguments and parameter lists go, the longest
// first ("Table<…>::find(…)"), then the folders of paths ("…/shop/counters.py:8"), then the middles of long words, then words in
// the middle of the sentence. Each only as far as it has to be. Whoever makes the sentence knows better what to leave out of it:
// fits_with_short_names() says whether the first two are enough.
[[nodiscard]] std::string shorten(std::string_view sentence, std::size_t columns);
[[nodiscard]] bool fits_with_short_names(std::string_view sentence, std::size_t columns);

} // namespace loopsnoop

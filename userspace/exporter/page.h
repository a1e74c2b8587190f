// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "exporter/overview.h"

namespace loopsnoop::exporter {

// Loops that the page lists; of the others it says how many there are.
inline constexpr std::size_t most_loops_shown = 200;

// The overview as one HTML document, UTF-8: no script, nothing loaded from anywhere, reloads itself. Every string of the target
// in it is escaped, and cannot turn the direction of what stands beside it.
[[nodiscard]] std::string page(const Overview &now);

// What a browser is told along with it: to run no script, to load nothing, to keep nothing.
[[nodiscard]] std::string page_headers(std::size_t length);

// Text to stand between tags or in a quoted attribute.
[[nodiscard]] std::string escaped(std::string_view text);

} // namespace loopsnoop::exporter

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "exporter/overview.h"

namespace loopsnoop::exporter {

// Loops that the page lists; of the others it says how many there are.
inline constexpr std::size_t max_loops_shown = 200;

// Processes whose gauges it shows, likewise.
inline constexpr std::size_t max_cards = 50;

// The overview as one HTML document, UTF-8: no script, nothing loaded from anywhere, reloads itself. Every string of the target
// in it is escaped, and cannot turn the direction of what stands beside it.
[[nodiscard]] std::string page(const Overview &now);

} // namespace loopsnoop::exporter

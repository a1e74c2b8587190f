// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/cause.h"

namespace loopsnoop::summary {

// Numbers for people.

[[nodiscard]] std::string thousands(std::uint64_t number);                          // "1,234"
[[nodiscard]] std::string percent(std::uint64_t part, std::uint64_t all);           // "5.7 %"; "-" of nothing
[[nodiscard]] std::string plural(std::uint64_t number, std::string_view noun);      // "1 stall", "1,234 stalls"
[[nodiscard]] std::string format_range(std::uint64_t min_ns, std::uint64_t max_ns); // "50–320 ms"
[[nodiscard]] std::string format_breakdown(const Breakdown &breakdown);             // "socket 301 ms ×3, cpu 12 ms", most first

} // namespace loopsnoop::summary

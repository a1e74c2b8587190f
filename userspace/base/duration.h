// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace loopsnoop {

// "500us" "20ms" "1.5s" "2m" "1h"; a bare number is milliseconds. nullopt: not a duration, negative, or past 2^63 ns.
[[nodiscard]] std::optional<std::uint64_t> parse_duration_ns(std::string_view text);

// For people: "850 us", "23 ms", "1.42 s", "41.9 s", "3 min 05 s", "2 h 04 min". Cut, not rounded: nothing is shown to
// have taken longer than it did.
[[nodiscard]] std::string format_duration(std::uint64_t ns);

// The same, rounded: of a time that somebody else chose and that is known a little short, as what is left until a deadline.
[[nodiscard]] std::string format_rounded_duration(std::uint64_t ns);

} // namespace loopsnoop

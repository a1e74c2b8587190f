// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace loopsnoop::output {

// RFC 3339 in UTC, as base/clock.h writes it, to ns since the epoch. nullopt: not one, or before 1970.
[[nodiscard]] std::optional<std::uint64_t> parse_rfc3339_utc(std::string_view text);

// Turns CLOCK_MONOTONIC times of a recording into local times of day, by the latest pair of both that was seen.
class WallClock {
public:
	void set(std::string_view started_at, std::uint64_t start_ns);
	[[nodiscard]] std::string time_of_day(std::uint64_t monotonic_ns) const; // "14:03:22.123"; "--:--:--.---" before any set()
	[[nodiscard]] std::string date(std::uint64_t monotonic_ns) const;        // "2026-11-22 14:03:22"; empty before any set()

private:
	std::optional<std::int64_t> offset_ns_; // realtime - monotonic
};

} // namespace loopsnoop::output

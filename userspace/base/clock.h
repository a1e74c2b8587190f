// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace loopsnoop {

inline constexpr std::uint64_t ns_per_s = 1'000'000'000;

// CLOCK_MONOTONIC, ns: the clock of bpf_ktime_get_ns() and of every `…_ns` point in time in this program.
[[nodiscard]] std::uint64_t monotonic_ns();

// The next multiple of `period_ns` after `now_ns`. Threads that wait until such times wake up a CPU that they share together.
[[nodiscard]] constexpr std::uint64_t next_on_grid(std::uint64_t now_ns, std::uint64_t period_ns) {
	return (now_ns / period_ns + 1) * period_ns;
}

// CLOCK_REALTIME, ns since the epoch.
[[nodiscard]] std::uint64_t realtime_ns();

// RFC 3339, UTC, microseconds: "2026-11-22T05:09:28.000123Z".
[[nodiscard]] std::string rfc3339_utc(std::uint64_t realtime_ns);

} // namespace loopsnoop

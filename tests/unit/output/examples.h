// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/session.h"
#include "output/text.h"

namespace loopsnoop::output::examples {

inline constexpr std::uint64_t ms = 1'000'000;
inline constexpr std::uint64_t s = 1'000'000'000;
inline constexpr std::uint64_t begin = 1'000 * s; // session start on CLOCK_MONOTONIC: 2026-11-22T14:03:20Z

std::string started_at(std::uint64_t monotonic_ns);
SessionStart session();
LoopFound loop();
SessionSummary session_summary(std::uint64_t stalls);

// A commit through PostgreSQL on the loop, from a middleware.
Stall database_stall(std::uint64_t id, std::uint64_t start_ns, std::uint64_t duration_ns);

// Every field that may be there is there.
Stall full_stall();
Dump dump(); // a deadlock, who waits for it, a pool of idle threads, one that runs

// A report with its output kept, one element a call of the sink.
struct Written {
	explicit Written(TextOptions options = {});
	std::vector<std::string> calls;
	TextReport report;
	[[nodiscard]] std::string text() const;
};

// What a terminal shows after this output: carriage return, erase to the end of the line and newline are obeyed, colours dropped.
std::vector<std::string> screen(const std::string &output);

} // namespace loopsnoop::output::examples

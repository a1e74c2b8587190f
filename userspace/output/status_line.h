// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace loopsnoop::output {

// What the status line shows; made by the session, about once a second.
struct Status {
	std::uint64_t now_ns = 0; // CLOCK_MONOTONIC
	std::size_t loops = 0;    // 0: no loop yet
	std::uint32_t pid = 0;    // the process, where it is one
	std::string comm;
	double iterations_per_s = 0;
	double busy = 0; // share of time, 0 to 1
	std::uint64_t stalls = 0;
	std::uint64_t stalled_ns = 0;
	std::optional<std::uint64_t> stuck_ns;    // age of the oldest stall running now
	std::optional<std::uint64_t> standing_ns; // age of the oldest standstill
	std::uint64_t lost = 0;
	std::vector<std::string> troubles; // what keeps loopsnoop from seeing, a sentence each; all of them each time
};

[[nodiscard]] std::string status_text(const Status &now);

} // namespace loopsnoop::output

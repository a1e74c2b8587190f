// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/stall.h"

namespace loopsnoop::inspect {

// What a loop's interpreter was at when its memory was read in the course of one iteration.
struct PythonSample {
	std::uint64_t time_ns = 0;
	bool runs = false;             // the loop's thread was not asleep
	bool asked = true;             // the task was asked for; otherwise it is taken to be the one before
	std::optional<StallTask> task; // whose step it was; unset: none's, or that could not be read
	// That wait for their turn, first come first, by the addresses of their handles; unset: not asked, or not known.
	std::optional<std::vector<std::uint64_t>> queued_callbacks;
	bool collecting = false; // the garbage collector was at work
	std::optional<std::uint64_t> generation;
};

// The samples of one iteration. Pure.
class PythonSamples {
public:
	// `start_ns`: of the iteration. A sample stands for the time since the one before.
	void add(std::uint64_t iteration, std::uint64_t start_ns, PythonSample &&sample);
	// Completes the record of that iteration: the task that most of it was a step of, and what the garbage collector took of its
	// CPU time. An iteration of many tasks, none of which has half of it, has no task; how many callbacks it has come to at least
	// follows from what was queued before and is not any more.
	void recall(std::uint64_t iteration, Stall &stall) const;

	[[nodiscard]] std::uint64_t iteration() const { return iteration_; }

private:
	struct Part {
		std::optional<StallTask> task;
		std::uint64_t ns = 0;
	};
	std::uint64_t iteration_ = ~0ULL; // none yet
	std::uint64_t last_ns_ = 0;
	std::vector<Part> parts_;                               // the last is of the last sample
	std::size_t current_ = 0;                               // of the last sample
	std::optional<std::vector<std::uint64_t>> last_queued_; // callbacks, of the last sample that knew
	std::uint64_t callbacks_run_ = 0;                       // while it was sampled, at least
	std::uint64_t running_ = 0;
	std::uint64_t collecting_ = 0; // of those that ran
	std::optional<std::uint64_t> generation_;
};

} // namespace loopsnoop::inspect

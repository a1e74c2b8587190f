// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "model/stall.h"

namespace loopsnoop::analysis {

// What a process is, apart from its threads, as far as that says whether anybody waits for it while it waits.
struct ProcessShape {
	bool will_serve = false;  // it listens, has made an event queue, or has loaded an asynchronous framework
	bool has_workers = false; // processes below it listen or have made event queues: they serve, not it
	bool go = false;          // Go's scheduler moves the work of a thread that waits to another one
};

// Whether the time of a stall was spent as such a process is meant to: a master, a supervisor or a shell waits for signals and
// children, a worker for a job, a main thread for the others, a scheduler's thread for something to do. Nobody waits for those.
// For a process whose main thread has not polled, the wait that goes on decides. `threshold_ns`: a loop that polls is
// reported for what is left, if that is as long.
[[nodiscard]] bool waits_by_design(const Stall &stall, const ProcessShape &shape, std::uint64_t threshold_ns);

// The process is about to end: its interpreter or its C library clears up, or the kernel does.
[[nodiscard]] bool is_ending(const Stack &stack);

} // namespace loopsnoop::analysis

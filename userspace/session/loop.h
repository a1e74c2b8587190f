// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/iteration_buffer.h"
#include "inspect/python_samples.h"
#include "inspect/seen_resources.h"
#include "model/event.h"
#include "model/session.h"

namespace loopsnoop::session {

// What is known of a thread that has a place in the kernel's table of loops.
enum class LoopStatus : std::uint8_t {
	// A main thread that has not come to a poll call since it was first seen. Its time counts: it may be a loop's start-up, or a
	// stall that began before. It becomes `polling` with its first poll call.
	starting,
	// The same, but its stack or a sample showed an event loop below a callback: a loop that was frozen when it was first seen.
	in_callback,
	// It polls, but may be a loop of the runtime itself (Node's thread for delayed tasks has one). Nothing is reported of it
	// until
	// its stack was read; then it is `polling` or `ignored`.
	pending,
	// A loop of the application, seen in its own poll call.
	polling,
	// No loop of the application: a pool's thread, a helper process, the runtime's own, a thread that was not asked for. The
	// kernel side keeps no account of it. It becomes `polling` if it polls as a loop does all the same.
	ignored,
	// The session ends: its last record is written, and an end that comes now is no news.
	closed,
};

// A stall that goes on and was reported.
struct OngoingStall {
	std::uint64_t id = 0;
	std::uint64_t iteration = 0;
	std::uint64_t next_age_ns = 0; // it is reported again once it is that old
	std::uint64_t start_ns = 0;
	unsigned missed = 0; // times in a row that it was not found running, with all events handled
	Stall last_reported;
};

// Names of what a loop waits for, read while it did: afterwards they may be gone.
struct WaitNames {
	std::uint64_t stack_key = 0; // RawWait::stack_key of `stack`
	std::optional<Stack> stack;
	std::vector<std::pair<std::uint64_t, Stack>> early; // of a start-up, or where names move: by their keys, named as they came
	std::uint64_t viewed_off_since_ns = 0;              // LoopState::off_since_ns of the last wait whose resource was read
};

// An iteration in which the thread waits as such threads are meant to: inspected again when it is that old.
struct PassedOver {
	std::uint64_t iteration = 0;
	std::uint64_t next_age_ns = 0; // 0: none is
};

// What the kernel side needs to read this thread's Python frames, and what was read in its place before it had that.
struct PythonState {
	struct Missed {
		std::uint64_t off_since_ns = 0; // LoopState::off_since_ns of the sleep
		std::vector<PythonFrameRef> frames;
	};
	bool known = false; // the kernel side reads them itself
	std::uint64_t next_try_ns = 0;
	std::optional<Missed> missed;
	inspect::PythonSamples samples;
	std::uint64_t next_sample_ns = 0;
	std::uint64_t next_task_ns = 0;         // of a sample that asks for the task, too
	std::uint64_t sampled_off_since_ns = 0; // LoopState::off_since_ns of the last sleep that was sampled
};

// A wait that could only be read from outside, because it began before anybody followed, or had no capture.
struct UncapturedWait {
	RawWait wait;
	Cause kernel_cause{}; // what the kernel's account takes it for
};

// One loop thread. LoopRegistry owns it; `status` and `announced` are changed there alone.
struct Loop {
	LoopKey key;
	LoopTotals totals;
	std::string comm;
	std::string thread;
	LoopStatus status = LoopStatus::starting;
	bool announced = false;               // a LoopFound record of it went out
	bool kernel_ignores = false;          // the kernel side keeps no account of it
	std::optional<bool> runtimes_own;     // nullopt: not decided
	std::optional<LoopAppeared> appeared; // while it is pending
	std::optional<int> poll_fd;
	std::uint64_t next_care_ns = 0; // of one that was found by discovery; the others are cared for at each tick
	PythonState python;
	WaitNames names;
	inspect::SeenResources seen;
	analysis::IterationBuffer buffer;
	std::optional<UncapturedWait> uncaptured;
	std::optional<OngoingStall> ongoing;
	PassedOver passed_over;

	// It has not come to a poll call, and nothing says that it is inside one of a loop's callbacks.
	[[nodiscard]] bool no_loop_yet() const { return status == LoopStatus::starting; }
	// Nothing is reported of it.
	[[nodiscard]] bool silent() const { return status == LoopStatus::ignored || status == LoopStatus::closed; }
};

} // namespace loopsnoop::session

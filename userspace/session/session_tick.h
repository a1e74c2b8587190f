// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "session/attach_inspection.h"
#include "session/context.h"
#include "session/loop_registry.h"
#include "session/ongoing_stalls.h"
#include "session/process_facts.h"
#include "session/processes.h"
#include "session/python_frames.h"
#include "session/running_waits.h"

namespace loopsnoop::session {

// What a session does by the clock: which running iterations grow old, and what must be read while they do. One thread. tick() a
// few times a second, sooner when next_due_ns() says so; at the end finish(), the last events, end().
//
// A tick reads busy loops only, by LoopTable::busy_loops(): one that is idle costs nothing. Whoever has something to find out
// about idle loops does so in a part of its own, called from tick() beside watch_busy_loops() with a pause of its own.
class SessionTick {
public:
	// The parts of a session that it calls. They outlive it.
	struct Parts {
		LoopRegistry &loops;
		Processes &processes;
		ProcessFacts &facts;
		AttachInspection &attach;
		PythonFrames &python;
		RunningWaits &waits;
		OngoingStalls &ongoing;
	};
	SessionTick(const Context &context, Parts parts) : context_(context), parts_(parts) {}

	// Lets the kernel side know of interpreters, so that captures have their frames; before the session is said to have begun.
	void prepare();
	enum class Handled : std::uint8_t { all, some }; // of the events that have come
	void tick(Handled handled);
	// The session is over: stalls that still run get their last record. One that ends at this moment has its own on the way.
	void finish();
	// The totals of all loops.
	[[nodiscard]] std::vector<LoopTotals> end();
	// When the next running iteration will be old enough to be inspected; ~0: none is running.
	[[nodiscard]] std::uint64_t next_due_ns() const { return next_due_ns_; }

private:
	void care_for_loops(std::uint64_t now_ns);
	void watch_busy_loops(std::uint64_t now_ns);
	void watch(Loop &loop, const LoopState &state, std::uint64_t now_ns);
	void watch_start(Loop &loop, const LoopState &state, Process &process);
	void watch_iteration(Loop &loop, const LoopState &state, std::uint64_t now_ns);
	void sample_python(Loop &loop, const LoopState &state, std::uint64_t start_ns, std::uint64_t now_ns);
	void due_at(std::uint64_t time_ns);

	const Context &context_;
	Parts parts_;
	std::uint64_t next_rest_ns_ = 0; // of what is done every two seconds
	std::uint64_t next_due_ns_ = ~0ULL;
	std::uint64_t python_rest_ns_ = 0; // nothing is sampled until then, of no loop
};

} // namespace loopsnoop::session

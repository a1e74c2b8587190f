// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "inspect/inspector.h"
#include "session/context.h"
#include "session/loop.h"
#include "session/process_facts.h"
#include "session/python_frames.h"

namespace loopsnoop::session {

// What can only be read while a wait goes on: its names, who holds the lock or has the other end, and the wait itself where the
// kernel side captured none. It is kept with the loop until the iteration ends. One thread; costs nothing for a loop that is idle
// or runs.
class RunningWaits {
public:
	RunningWaits(const Context &context, ProcessFacts &facts, inspect::Inspector &inspector, PythonFrames &python)
	    : context_(context), facts_(facts), inspector_(inspector), python_(python) {}

	// A wait has come in whose names may be gone when its iteration ends: those of a start-up, and those that move about.
	void keep_names(Loop &loop, const RawWait &wait);
	// The wait's stack, where it has its names already; nullptr: it has not.
	[[nodiscard]] static const Stack *names_of(const Loop &loop, const RawWait &wait);
	// The loop has been asleep for a while in what may become a stall: names of the wait, and what it waits for.
	void read(Loop &loop, const LoopState &state);
	// The wait that goes on now; nullopt: it runs, or cannot be read. `snapshot`: of this thread, its stack read; may be nullptr.
	[[nodiscard]] std::optional<RawWait> current(Loop &loop, const LoopState &state, const ThreadSnapshot *snapshot);
	// Adds the wait that was read from outside, with the time that the account has of its cause beyond the waits that are known:
	// the kernel side has no record of a wait that began before it followed, or that it had no capture for.
	// `end_ns`: of the iteration, beyond which none of it can lie.
	static void add_uncaptured(const Loop &loop, const Breakdown &breakdown, std::uint64_t end_ns, std::vector<RawWait> &waits);

private:
	void read_resource(Loop &loop, const LoopState &state, const RawWait &wait);

	const Context &context_;
	ProcessFacts &facts_;
	inspect::Inspector &inspector_;
	PythonFrames &python_;
};

} // namespace loopsnoop::session

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspect/inspector.h"
#include "inspect/programs.h"
#include "session/context.h"
#include "session/loop.h"

namespace loopsnoop::session {

// What the kernel side needs to read Python's frames itself, and what is done for waits that began before it had that. One
// thread.
class PythonFrames {
public:
	PythonFrames(const Context &context, inspect::Programs &programs, inspect::Inspector &inspector)
	    : context_(context), programs_(programs), inspector_(inspector) {}

	// Gives the kernel side the interpreter's layout once it can be read. Does nothing for a while after it could not.
	void learn(Loop &loop, const LoopState &state);
	// A process that is starting may be asleep before its interpreter was found: that wait was captured without Python's frames,
	// and they are read from outside while it goes on.
	void read_missing(Loop &loop, const LoopState &state, const RawWait &wait);
	// Puts what was read so into the wait, if it is of that sleep.
	static void add_missing(const Loop &loop, RawWait &wait);

private:
	const Context &context_;
	inspect::Programs &programs_;
	inspect::Inspector &inspector_;
};

} // namespace loopsnoop::session

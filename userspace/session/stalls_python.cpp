// SPDX-License-Identifier: Apache-2.0
// What the kernel side needs to read Python's frames itself, and what is done for waits that began before it had that.
#include "session/stalls.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace loopsnoop::session {

void Stalls::learn_python(Loop &loop, const LoopState &state) {
	constexpr std::uint64_t pause_ns = 20'000'000;
	const std::uint64_t now = monotonic_ns();
	if (loop.python_known || now < loop.next_python_ns) {
		return;
	}
	loop.next_python_ns = now + pause_ns;
	auto *interpreter = programs_.interpreter(state.pid);
	if (interpreter == nullptr) {
		return;
	}
	if (const auto thread_state = interpreter->thread_state(state.tid, state.thread_pointer)) {
		collector_.set_python(loop.key, interpreter->layout_for(*thread_state), *thread_state);
		loop.python_known = true;
	}
}

// A process that is starting may be asleep before its interpreter was found: that wait was captured without Python's frames, and
// they are read from outside while it goes on.
void Stalls::read_missing_python(Loop &loop, const LoopState &state, const RawWait &wait) {
	const bool read_already = loop.missed_python && loop.missed_python->off_ns == state.off_since_ns;
	if (!wait.stack.python.empty() || wait.stack_key == 0 || wait.count != 0 || !loop.python_known || read_already) {
		return;
	}
	std::vector<ThreadSnapshot> snapshots = inspector_.snapshot(state.pid);
	const auto own = std::ranges::find(snapshots, state.tid, &ThreadSnapshot::tid);
	if (own == snapshots.end() || own->running || !own->stack.have_registers) {
		return;
	}
	inspector_.read_python(*own);
	if (const auto after = collector_.loop(loop.key); after && after->changes == state.changes) {
		loop.missed_python = MissedPython{state.off_since_ns, std::move(own->stack.python)};
	}
}

void Stalls::add_missed_python(const Loop &loop, RawWait &wait) {
	if (!loop.missed_python || !wait.stack.python.empty() || wait.stack_key == 0) {
		return;
	}
	const auto &[off_ns, python] = *loop.missed_python;
	if (wait.start_ns <= off_ns && (wait.count == 0 || off_ns < wait.end_ns)) {
		wait.stack.python = python;
		wait.stack_key ^= off_ns; // a key of its own: the captured one is also of waits in other lines
	}
}

} // namespace loopsnoop::session

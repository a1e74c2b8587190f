// SPDX-License-Identifier: Apache-2.0
#include "session/python_frames.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace loopsnoop::session {

void PythonFrames::learn(Loop &loop, const LoopState &state) {
	constexpr std::uint64_t pause_ns = 20'000'000;
	const std::uint64_t now = context_.now_ns();
	if (loop.python.known || now < loop.python.next_try_ns) {
		return;
	}
	loop.python.next_try_ns = now + pause_ns;
	auto *interpreter = programs_.interpreter(state.pid);
	if (interpreter == nullptr) {
		return;
	}
	if (const auto thread_state = interpreter->thread_state(state.tid, state.thread_pointer)) {
		context_.collector.table().set_python(loop.key, interpreter->layout_for(*thread_state), *thread_state);
		loop.python.known = true;
	}
}

void PythonFrames::read_missing(Loop &loop, const LoopState &state, const RawWait &wait) {
	const bool read_already = loop.python.missed && loop.python.missed->off_since_ns == state.off_since_ns;
	if (!wait.stack.python.empty() || wait.stack_key == 0 || wait.count != 0 || !loop.python.known || read_already) {
		return;
	}
	std::vector<ThreadSnapshot> snapshots = inspector_.snapshot(state.pid);
	const auto own = std::ranges::find(snapshots, state.tid, &ThreadSnapshot::tid);
	if (own == snapshots.end() || own->running || !own->stack.have_registers) {
		return;
	}
	inspector_.read_python(*own);
	if (const auto after = context_.collector.table().loop(loop.key); after && after->changes == state.changes) {
		loop.python.missed = PythonState::Missed{state.off_since_ns, std::move(own->stack.python)};
	}
}

void PythonFrames::add_missing(const Loop &loop, RawWait &wait) {
	if (!loop.python.missed || !wait.stack.python.empty() || wait.stack_key == 0) {
		return;
	}
	const auto &[since_ns, frames] = *loop.python.missed;
	if (wait.start_ns <= since_ns && (wait.count == 0 || since_ns < wait.end_ns)) {
		wait.stack.python = frames;
		wait.stack_key ^= since_ns; // a key of its own: the captured one is also of waits in other lines
	}
}

} // namespace loopsnoop::session

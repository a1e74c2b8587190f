// SPDX-License-Identifier: Apache-2.0
#include "session/attach_inspection.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "analysis/loop_marks.h"
#include "discovery/loop_evidence.h"
#include "model/poll_calls.h"

namespace loopsnoop::session {

namespace {

// A poll() that the thread was asleep in when it was first seen: several descriptors, or one that no client library would wait
// on, are a loop's; one connected socket is not.
bool looks_like_own_poll(const RawWait &wait) {
	if (wait.target.descriptors_total > 1) {
		return true;
	}
	if (wait.target.descriptors_total != 1 || wait.target.descriptors.empty()) {
		return false;
	}
	constexpr std::uint16_t stream = 1;
	constexpr std::uint8_t listening = 10;
	const DescriptorSnapshot &one = wait.target.descriptors.front();
	return one.kind != DescriptorKind::socket || one.type != stream || one.state == listening;
}

bool is_in_poll_call(const ThreadSnapshot &snapshot) {
	const auto name = inspect::Resolver::syscall_text(snapshot.syscall);
	return name && is_set_poll_call(*name);
}

bool is_in_epoll_call(const ThreadSnapshot &snapshot) {
	const auto name = inspect::Resolver::syscall_text(snapshot.syscall);
	return name && is_epoll_call(*name);
}

bool is_readable(const ThreadSnapshot &snapshot) { return !snapshot.running && snapshot.stack.have_registers; }

} // namespace

// The main thread first: what it is decides what the others can be.
std::vector<ThreadSnapshot> AttachInspection::main_thread_first(std::uint32_t pid) {
	std::vector<ThreadSnapshot> snapshots = inspector_.snapshot(pid);
	std::stable_partition(snapshots.begin(), snapshots.end(),
	                      [&](const ThreadSnapshot &snapshot) { return snapshot.tid == pid; });
	return snapshots;
}

// Who waits for what `inspect` finds out may be in its next callback by then.
void AttachInspection::probe_sleeping_poll(std::uint32_t pid) {
	Process *process = processes_.find(pid);
	if (process == nullptr || process->has_loop || discovery::has_event_queue(context_.proc, pid)) {
		return;
	}
	for (ThreadSnapshot &snapshot : main_thread_first(pid)) {
		if (!is_readable(snapshot) || !is_in_poll_call(snapshot)) {
			continue;
		}
		const RawWait wait = inspector_.wait(snapshot);
		if (looks_like_own_poll(wait) && !in_callback_of_asyncio(snapshot)) {
			process->has_loop = true;
			context_.collector.followed().adopt_poll(pid, snapshot.tid, wait.target.descriptors_total > 1);
			return;
		}
	}
}

void AttachInspection::correct_private_polls(std::uint32_t pid) {
	Process *process = processes_.find(pid);
	if (process == nullptr || !discovery::has_several_event_queues(context_.proc, pid)) {
		return;
	}
	std::map<std::uint32_t, int> waits;
	std::set<int> waited_on;
	for (const ThreadSnapshot &snapshot : inspector_.snapshot(pid)) {
		if (!snapshot.running && is_in_epoll_call(snapshot)) {
			waits.emplace(snapshot.tid, static_cast<int>(snapshot.args[0]));
			waited_on.insert(static_cast<int>(snapshot.args[0]));
		}
	}
	const auto sockets = process::serving_sockets(context_.proc, pid); // once: a process may have a hundred thousand descriptors
	if (!sockets) {
		return;
	}
	for (const auto &[tid, fd] : waits) {
		if (const auto loop = discovery::interrupted_loop(context_.proc, pid, *sockets, fd, waited_on)) {
			process->private_polls.emplace(tid, fd);
			context_.collector.followed().correct_poll(pid, tid, *loop);
			waited_on.insert(*loop); // it is one thread's
		}
	}
}

void AttachInspection::inspect(std::uint32_t pid) {
	Process *process = processes_.find(pid);
	if (process == nullptr || (process->found && process->has_loop)) {
		return; // it has ended already, or nothing is frozen: what its stacks take is read when one is to be reported
	}
	(void)facts_.programs.is_go(pid);          // read now: a hang is to be shown at once
	constexpr std::size_t max_inspected = 256; // a loop among more threads than that is found when it next polls
	std::size_t inspected = 0;
	std::vector<ThreadSnapshot> snapshots = main_thread_first(pid);
	// By their names first: no stack has to be read for those, which takes seconds of a runtime as large as a JVM.
	for (const ThreadSnapshot &snapshot : snapshots) {
		if (is_readable(snapshot) && !is_in_epoll_call(snapshot) && analysis::is_loop_thread(snapshot.thread) &&
		    loops_.find(pid, snapshot.tid) == nullptr) {
			take_frozen(snapshot, *process);
		}
	}
	for (ThreadSnapshot &snapshot : snapshots) {
		if (process->frozen_loops.contains(snapshot.tid) || !is_readable(snapshot) || inspected++ >= max_inspected) {
			continue;
		}
		Loop *known = loops_.find(pid, snapshot.tid);
		if (known == nullptr) {
			inspect_new_thread(snapshot, *process);
		} else if (known->status == LoopStatus::starting || known->status == LoopStatus::in_callback) {
			inspect_starting(*known, snapshot);
		} else {
			// Nothing to report of it, but the files and symbols it takes are read now: a hang is to be shown at once.
			inspector_.read_stack(snapshot);
			(void)facts_.resolver.stack(snapshot.stack);
		}
	}
}

// It is in the middle of a loop's callback.
void AttachInspection::take_frozen(const ThreadSnapshot &snapshot, Process &process) {
	process.has_loop = true;
	process.frozen_loops.insert(snapshot.tid);
	context_.collector.followed().force_loop(snapshot.pid, snapshot.tid);
}

// A thread asleep outside any poll call that is certain: a loop if its stack says so, or if it sleeps in a poll() that only a
// loop would make and there is no better loop.
void AttachInspection::inspect_new_thread(ThreadSnapshot &snapshot, Process &process) {
	inspector_.read_stack(snapshot);
	if (is_in_call_of_go(snapshot)) {
		take_frozen(snapshot, process);
		return;
	}
	if (facts_.programs.is_go(snapshot.pid)) {
		return; // its scheduler's threads sleep in turns
	}
	const bool polls = is_in_poll_call(snapshot);
	// Native stacks only while there is no loop: of hundreds of threads they take a while.
	const Stack stack = !snapshot.stack.python.empty() || !process.has_loop ? facts_.resolver.stack(snapshot.stack) : Stack{};
	if (polls && analysis::polls_for_itself(stack)) {
		process.has_loop = true;
		context_.collector.followed().adopt_poll(snapshot.pid, snapshot.tid, true); // as sure as one on several descriptors
		return;
	}
	if (analysis::runs_event_loop(stack)) {
		take_frozen(snapshot, process);
		return;
	}
	if (process.has_loop || !polls) {
		return;
	}
	const RawWait wait = inspector_.wait(snapshot);
	if (process.found && (snapshot.tid != snapshot.pid || wait.target.descriptors_total < 2)) {
		return;
	}
	if (looks_like_own_poll(wait) && !has_better_loop(snapshot)) {
		context_.collector.followed().adopt_poll(snapshot.pid, snapshot.tid, wait.target.descriptors_total > 1);
	}
}

// Go's scheduler gives the work of a thread that waits to another one, but for what a program does in a call of its own.
bool AttachInspection::is_in_call_of_go(const ThreadSnapshot &snapshot) {
	return facts_.programs.is_go(snapshot.pid) && inspector_.wait(snapshot).cause == Cause::file_io;
}

void AttachInspection::decide_pending(std::uint64_t now_ns) {
	std::set<std::uint32_t> pids;
	for (const auto &[key, loop] : loops_.all()) {
		if (loop.status == LoopStatus::pending) {
			pids.insert(loop.totals.pid);
		}
	}
	for (const std::uint32_t pid : pids) {
		decide_pending_of(pid, now_ns);
	}
}

void AttachInspection::decide_pending_of(std::uint32_t pid, std::uint64_t now_ns) {
	std::vector<ThreadSnapshot> snapshots = inspector_.snapshot(pid);
	for (auto &[key, loop] : loops_.all()) {
		if (loop.status != LoopStatus::pending || loop.totals.pid != pid) {
			continue;
		}
		const auto snapshot = std::ranges::find(snapshots, loop.totals.tid, &ThreadSnapshot::tid);
		const bool readable = snapshot != snapshots.end() && is_readable(*snapshot);
		const std::uint64_t since_ns = loop.appeared ? loop.appeared->time_ns : 0;
		if (!readable && now_ns - std::min(now_ns, since_ns) < context_.options.hang_after_ns) {
			continue; // it may sleep soon
		}
		if (readable) {
			inspector_.read_stack(*snapshot);
		}
		loops_.decide(loop, readable && analysis::is_the_runtimes_own(facts_.resolver.stack(snapshot->stack)));
	}
}

// A poll() in a Python process that has an epoll descriptor, or under asyncio's callbacks, was made inside a callback.
bool AttachInspection::has_better_loop(ThreadSnapshot &snapshot) {
	return facts_.programs.interpreter(snapshot.pid) != nullptr &&
	       (in_callback_of_asyncio(snapshot) || discovery::has_event_queue(context_.proc, snapshot.pid));
}

bool AttachInspection::in_callback_of_asyncio(ThreadSnapshot &snapshot) {
	if (snapshot.stack.python.empty()) {
		inspector_.read_python(snapshot);
	}
	const std::vector<SourceFrame> frames = facts_.resolver.python(snapshot.stack);
	return std::ranges::any_of(frames, [](const SourceFrame &frame) {
		return frame.file.find("/asyncio/events.py") != std::string::npos && frame.function.find("_run") != std::string::npos;
	});
}

bool AttachInspection::computes_in_callback(Loop &loop, const LoopState &state) {
	const std::vector<RawSample> samples = loop.buffer.samples(state.iteration);
	if (samples.empty()) {
		return false;
	}
	const RawSample &last = samples.back();
	if (!analysis::runs_event_loop(last.named ? *last.named : facts_.resolver.stack(last.stack))) {
		return false;
	}
	loops_.set_in_callback(loop);
	return true;
}

void AttachInspection::inspect_starting(Loop &loop, ThreadSnapshot &snapshot) {
	inspector_.read_stack(snapshot);
	RawWait wait = inspector_.wait(snapshot);
	// What was read is about the same sleep only if it had begun by then. Asked now: names may take longer than the sleep, where
	// a file system does not answer.
	const auto state = context_.collector.table().loop(loop.key);
	const bool same_sleep = state && state->off_cause && *state->off_cause != Cause::runqueue && state->off_since_ns != 0 &&
	                        state->off_since_ns <= snapshot.now_ns;
	if (is_in_poll_call(snapshot) && looks_like_own_poll(wait) && !has_better_loop(snapshot)) {
		if (Process *process = processes_.find(snapshot.pid); process != nullptr) {
			process->has_loop = true;
		}
		context_.collector.followed().adopt_poll(snapshot.pid, snapshot.tid, wait.target.descriptors_total > 1);
		return;
	}
	if (is_in_call_of_go(snapshot) || analysis::runs_event_loop(facts_.resolver.stack(snapshot.stack))) {
		loops_.set_in_callback(loop);
	}
	if (same_sleep) {
		wait.iteration = state->iteration;
		loop.uncaptured = UncapturedWait{std::move(wait), *state->off_cause};
	}
}

} // namespace loopsnoop::session

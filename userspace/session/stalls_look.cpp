// SPDX-License-Identifier: Apache-2.0
// The first look at a process: which of its threads are loops although none has come to a poll call yet.
#include "session/stalls.h"

#include <algorithm>
#include <set>
#include <utility>

#include "analysis/loop_marks.h"
#include "discovery/loop_evidence.h"

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

bool is_poll_call(const std::optional<std::string> &name) {
	return name == "poll" || name == "ppoll" || name == "select" || name == "pselect6";
}

} // namespace

// Before anything that takes long: who waits for what a first_look finds out may be in its next callback by then.
void Stalls::probe_sleeping_poll(std::uint32_t pid) {
	const auto entry = processes_.find(pid);
	if (entry == processes_.end() || entry->second.has_loop || discovery::has_event_queue(proc_, pid)) {
		return;
	}
	std::vector<ThreadSnapshot> snapshots = inspector_.snapshot(pid);
	std::stable_partition(snapshots.begin(), snapshots.end(),
	                      [&](const ThreadSnapshot &snapshot) { return snapshot.tid == pid; });
	for (ThreadSnapshot &snapshot : snapshots) {
		if (snapshot.running || !snapshot.stack.have_registers ||
		    !is_poll_call(inspect::Resolver::syscall_text(snapshot.syscall))) {
			continue;
		}
		const RawWait wait = inspector_.wait(snapshot);
		if (looks_like_own_poll(wait) && !in_callback_of_asyncio(snapshot)) {
			entry->second.has_loop = true;
			collector_.adopt_poll(pid, snapshot.tid, wait.target.descriptors_total > 1);
			return;
		}
	}
}

void Stalls::first_look(std::uint32_t pid) {
	const auto entry = processes_.find(pid);
	if (entry == processes_.end()) {
		return; // it has ended already
	}
	ProcessInfo &process = entry->second;
	if (process.found && process.has_loop) {
		return; // nothing is frozen; what its stacks take is read when one is to be told
	}
	std::vector<ThreadSnapshot> snapshots = inspector_.snapshot(pid);
	// The main thread first: what it is decides what the others can be.
	std::stable_partition(snapshots.begin(), snapshots.end(),
	                      [&](const ThreadSnapshot &snapshot) { return snapshot.tid == pid; });
	constexpr std::size_t max_looked_at = 256; // a loop among more threads than that is found when it next polls
	std::size_t looked_at = 0;
	for (ThreadSnapshot &snapshot : snapshots) {
		if (snapshot.running || !snapshot.stack.have_registers || looked_at >= max_looked_at) {
			continue;
		}
		looked_at++;
		const auto known = std::find_if(loops_.begin(), loops_.end(), [&](const auto &one) {
			return one.second.totals.pid == pid && one.second.totals.tid == snapshot.tid;
		});
		if (known == loops_.end()) {
			inspect_new_thread(snapshot, process);
		} else if (known->second.provisional) {
			inspect_provisional(known->second, snapshot);
		} else {
			// Nothing to tell of it, but the files and symbols it takes are read now: a hang is to be shown at once.
			inspector_.read_stack(snapshot);
			(void)resolver_.stack(snapshot.stack);
		}
	}
}

// A thread asleep outside any poll call that is certain: a loop if its stack says so, or if it sleeps in a poll() that only a
// loop would make and there is no better loop.
void Stalls::inspect_new_thread(ThreadSnapshot &snapshot, ProcessInfo &process) {
	inspector_.read_stack(snapshot);
	const bool polls = is_poll_call(inspect::Resolver::syscall_text(snapshot.syscall));
	// Native stacks only while there is no loop: of hundreds of threads they take a while.
	const Stack stack = !snapshot.stack.python.empty() || !process.has_loop ? resolver_.stack(snapshot.stack) : Stack{};
	if (polls && analysis::polls_for_itself(stack)) {
		process.has_loop = true;
		collector_.adopt_poll(snapshot.pid, snapshot.tid, true); // as sure as one on several descriptors
		return;
	}
	if (analysis::runs_event_loop(stack)) {
		process.has_loop = true;
		process.frozen_loops.insert(snapshot.tid);
		collector_.force_loop(snapshot.pid, snapshot.tid);
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
		collector_.adopt_poll(snapshot.pid, snapshot.tid, wait.target.descriptors_total > 1);
	}
}

// Node has a thread for the delayed tasks of its platform, which has a loop of libuv, too. Its main thread is not that one.
bool Stalls::may_be_the_runtimes(const Loop &loop) {
	return loop.owner == Owner::unknown && loop.totals.tid != loop.totals.pid && !options_.only_tids.contains(loop.totals.tid) &&
	       programs_.runtime(loop.totals.pid).kind == RuntimeKind::node;
}

void Stalls::sort_pending_loops(std::uint64_t now_ns) {
	std::set<std::uint32_t> pids;
	for (const auto &[key, event] : pending_loops_) {
		pids.insert(event.pid);
	}
	for (const std::uint32_t pid : pids) {
		std::vector<ThreadSnapshot> snapshots = inspector_.snapshot(pid);
		std::erase_if(pending_loops_, [&](const auto &newcomer) {
			const LoopAppeared &event = newcomer.second;
			const auto snapshot = std::ranges::find(snapshots, event.tid, &ThreadSnapshot::tid);
			const bool readable = snapshot != snapshots.end() && !snapshot->running && snapshot->stack.have_registers;
			const bool awaited = now_ns - std::min(now_ns, event.time_ns) < options_.hang_after_ns;
			if (event.pid != pid || (!readable && awaited)) {
				return false;
			}
			Loop &loop = loops_.at(newcomer.first);
			loop.owner = Owner::application;
			if (readable) {
				inspector_.read_stack(*snapshot);
				loop.owner =
				    analysis::is_the_runtimes_own(resolver_.stack(snapshot->stack)) ? Owner::runtime : Owner::application;
			}
			if (loop.owner == Owner::runtime) {
				leave(loop);
			} else {
				accept(loop, event);
			}
			return true;
		});
	}
}

// A poll() in a Python process that has an epoll descriptor, or under asyncio's callbacks, was made inside a callback.
bool Stalls::has_better_loop(ThreadSnapshot &snapshot) {
	return programs_.interpreter(snapshot.pid) != nullptr &&
	       (in_callback_of_asyncio(snapshot) || discovery::has_event_queue(proc_, snapshot.pid));
}

bool Stalls::in_callback_of_asyncio(ThreadSnapshot &snapshot) {
	if (snapshot.stack.python.empty()) {
		inspector_.read_python(snapshot);
	}
	const std::vector<SourceFrame> frames = resolver_.python(snapshot.stack);
	return std::any_of(frames.begin(), frames.end(), [](const SourceFrame &frame) {
		return frame.file.find("/asyncio/events.py") != std::string::npos && frame.function.find("_run") != std::string::npos;
	});
}

// A thread that computes has no stack to be looked at: its samples tell whether it does so inside of a loop.
bool Stalls::computes_in_callback(Loop &loop, const LoopState &state) {
	const std::vector<RawSample> samples = loop.buffer.samples(state.iteration);
	if (samples.empty()) {
		return false;
	}
	const RawSample &last = samples.back();
	loop.in_callback = analysis::runs_event_loop(last.named ? *last.named : resolver_.stack(last.stack));
	return loop.in_callback;
}

void Stalls::inspect_provisional(Loop &loop, ThreadSnapshot &snapshot) {
	inspector_.read_stack(snapshot);
	RawWait wait = inspector_.wait(snapshot);
	if (is_poll_call(inspect::Resolver::syscall_text(snapshot.syscall)) && looks_like_own_poll(wait) &&
	    !has_better_loop(snapshot)) {
		processes_[snapshot.pid].has_loop = true;
		collector_.adopt_poll(snapshot.pid, snapshot.tid, wait.target.descriptors_total > 1);
		return;
	}
	loop.in_callback = analysis::runs_event_loop(resolver_.stack(snapshot.stack));
	// Reading the stack may have taken long: this is about the same sleep only if it had begun by then.
	const auto state = collector_.loop(loop.key);
	if (state && state->off_cause && state->off_since_ns != 0 && state->off_since_ns <= snapshot.now_ns) {
		wait.iteration = state->iteration;
		loop.live_kernel_cause = *state->off_cause;
		loop.live = std::move(wait);
	}
}

} // namespace loopsnoop::session

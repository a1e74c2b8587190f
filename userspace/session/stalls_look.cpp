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
void Stalls::first_glance(std::uint32_t pid) {
	const auto entry = processes_.find(pid);
	if (entry == processes_.end() || entry->second.has_loop || discovery::has_event_queue(proc_, pid)) {
		return;
	}
	std::vector<ThreadLook> looks = looker_.look(pid);
	std::stable_partition(looks.begin(), looks.end(), [&](const ThreadLook &look) { return look.tid == pid; });
	for (ThreadLook &look : looks) {
		if (look.running || !look.stack.have_registers || !is_poll_call(inspect::Resolver::syscall_text(look.syscall))) {
			continue;
		}
		const RawWait wait = looker_.wait(look);
		if (looks_like_own_poll(wait) && !in_callback_of_asyncio(look)) {
			entry->second.has_loop = true;
			collector_.adopt_poll(pid, look.tid, wait.target.descriptors_total > 1);
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
	std::vector<ThreadLook> looks = looker_.look(pid);
	// The main thread first: what it is decides what the others can be.
	std::stable_partition(looks.begin(), looks.end(), [&](const ThreadLook &look) { return look.tid == pid; });
	constexpr std::size_t most_looked_at = 256; // a loop among more threads than that is found when it next polls
	std::size_t looked_at = 0;
	for (ThreadLook &look : looks) {
		if (look.running || !look.stack.have_registers || looked_at >= most_looked_at) {
			continue;
		}
		looked_at++;
		const auto known = std::find_if(loops_.begin(), loops_.end(), [&](const auto &one) {
			return one.second.totals.pid == pid && one.second.totals.tid == look.tid;
		});
		if (known == loops_.end()) {
			look_at_stranger(look, process);
		} else if (known->second.provisional) {
			look_at_provisional(known->second, look);
		} else {
			// Nothing to tell of it, but the files and symbols it takes are read now: a hang is to be shown at once.
			looker_.read_stack(look);
			(void)resolver_.stack(look.stack);
		}
	}
}

// A thread asleep outside any poll call that is certain: a loop if its stack says so, or if it sleeps in a poll() that only a
// loop would make and there is no better loop.
void Stalls::look_at_stranger(ThreadLook &look, ProcessInfo &process) {
	looker_.read_stack(look);
	const bool polls = is_poll_call(inspect::Resolver::syscall_text(look.syscall));
	// Native stacks only while there is no loop: of hundreds of threads they take a while.
	const Stack stack = !look.stack.python.empty() || !process.has_loop ? resolver_.stack(look.stack) : Stack{};
	if (polls && analysis::polls_for_itself(stack)) {
		process.has_loop = true;
		collector_.adopt_poll(look.pid, look.tid, true); // as sure as one on several descriptors
		return;
	}
	if (analysis::runs_event_loop(stack)) {
		process.has_loop = true;
		process.frozen_loops.insert(look.tid);
		collector_.force_loop(look.pid, look.tid);
		return;
	}
	if (process.has_loop || !polls) {
		return;
	}
	const RawWait wait = looker_.wait(look);
	if (process.found && (look.tid != look.pid || wait.target.descriptors_total < 2)) {
		return;
	}
	if (looks_like_own_poll(wait) && !has_better_loop(look)) {
		collector_.adopt_poll(look.pid, look.tid, wait.target.descriptors_total > 1);
	}
}

// Node has a thread for the delayed tasks of its platform, which has a loop of libuv, too. Its main thread is not that one.
bool Stalls::may_be_the_runtimes(const Loop &loop) {
	return loop.owner == Owner::unknown && loop.totals.tid != loop.totals.pid && !options_.only_tids.contains(loop.totals.tid) &&
	       programs_.runtime(loop.totals.pid).kind == RuntimeKind::node;
}

void Stalls::sort_newcomers(std::uint64_t now_ns) {
	std::set<std::uint32_t> pids;
	for (const auto &[key, event] : newcomers_) {
		pids.insert(event.pid);
	}
	for (const std::uint32_t pid : pids) {
		std::vector<ThreadLook> looks = looker_.look(pid);
		std::erase_if(newcomers_, [&](const auto &newcomer) {
			const LoopAppeared &event = newcomer.second;
			const auto look = std::ranges::find(looks, event.tid, &ThreadLook::tid);
			const bool readable = look != looks.end() && !look->running && look->stack.have_registers;
			const bool awaited = now_ns - std::min(now_ns, event.time_ns) < options_.hang_after_ns;
			if (event.pid != pid || (!readable && awaited)) {
				return false;
			}
			Loop &loop = loops_.at(newcomer.first);
			loop.owner = Owner::application;
			if (readable) {
				looker_.read_stack(*look);
				loop.owner = analysis::is_the_runtimes_own(resolver_.stack(look->stack)) ? Owner::runtime : Owner::application;
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
bool Stalls::has_better_loop(ThreadLook &look) {
	return programs_.interpreter(look.pid) != nullptr &&
	       (in_callback_of_asyncio(look) || discovery::has_event_queue(proc_, look.pid));
}

bool Stalls::in_callback_of_asyncio(ThreadLook &look) {
	if (look.stack.python.empty()) {
		looker_.read_python(look);
	}
	const std::vector<SourceFrame> frames = resolver_.python(look.stack);
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

void Stalls::look_at_provisional(Loop &loop, ThreadLook &look) {
	looker_.read_stack(look);
	RawWait wait = looker_.wait(look);
	if (is_poll_call(inspect::Resolver::syscall_text(look.syscall)) && looks_like_own_poll(wait) && !has_better_loop(look)) {
		processes_[look.pid].has_loop = true;
		collector_.adopt_poll(look.pid, look.tid, wait.target.descriptors_total > 1);
		return;
	}
	loop.in_callback = analysis::runs_event_loop(resolver_.stack(look.stack));
	// Reading the stack may have taken long: this is about the same sleep only if it had begun by then.
	const auto state = collector_.loop(loop.key);
	if (state && state->off_cause && state->off_ns != 0 && state->off_ns <= look.now_ns) {
		wait.iteration = state->iteration;
		loop.live_kernel_cause = *state->off_cause;
		loop.live = std::move(wait);
	}
}

} // namespace loopsnoop::session

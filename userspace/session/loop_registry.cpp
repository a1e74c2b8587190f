// SPDX-License-Identifier: Apache-2.0
#include "session/loop_registry.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "process/placement.h"

namespace loopsnoop::session {

Loop *LoopRegistry::find(LoopKey key) {
	const auto entry = loops_.find(key);
	return entry != loops_.end() ? &entry->second : nullptr;
}

Loop *LoopRegistry::find(std::uint32_t pid, std::uint32_t tid) {
	const auto entry = std::ranges::find_if(
	    loops_, [&](const auto &one) { return one.second.totals.pid == pid && one.second.totals.tid == tid; });
	return entry != loops_.end() ? &entry->second : nullptr;
}

void LoopRegistry::on(LoopAppeared &&event) {
	const Process &process = processes_.appeared(event.pid, event.time_ns);
	const bool found = process.found;
	if (const auto other = process.private_polls.find(event.tid);
	    other != process.private_polls.end() && !event.provisional && event.poll_fd == other->second) {
		return; // it was taken for the loop's own before its descriptors were read
	}
	Loop &loop = take_in(event);
	if (!wanted(loop) || loop.runtimes_own == true || (found && shares_poll_fd(loop))) {
		ignore(loop);
	} else if (event.provisional) {
		return; // it is starting, or in a callback
	} else if (may_be_the_runtimes(loop)) {
		loop.status = LoopStatus::pending;
		loop.appeared = std::move(event);
	} else {
		accept(loop, event);
	}
}

Loop &LoopRegistry::take_in(const LoopAppeared &event) {
	auto [entry, fresh] = loops_.try_emplace(event.key);
	Loop &loop = entry->second;
	if (fresh) {
		loop.key = event.key;
		loop.totals.pid = event.pid;
		loop.totals.tid = event.tid;
		loop.comm = event.comm;
		loop.thread = event.thread;
		facts_.programs.set_comm(event.pid, event.comm);
		context_.collector.sample(event.key, event.tid);
		if (const Process *process = processes_.find(event.pid);
		    process != nullptr && process->frozen_loops.contains(event.tid)) {
			loop.status = LoopStatus::in_callback;
		}
	}
	loop.poll_fd = event.poll_fd;
	return loop;
}

// A thread that was asked for with --tid is wanted, and any other once all of those have ended.
bool LoopRegistry::wanted(const Loop &loop) const {
	const auto &only = context_.options.tids;
	return only.empty() || context_.asked_for(loop.totals.tid) || std::ranges::none_of(only, [&](std::uint32_t tid) {
		       const std::string task = context_.proc.path_of(loop.totals.pid, "task/" + std::to_string(tid));
		       return context_.proc.exists(loop.totals.pid) && access(task.c_str(), F_OK) == 0;
	       });
}

// Threads of one process that wait on one epoll descriptor are a pool: whoever waits next hands over the work of the one before,
// and a thread that does something else for an hour keeps nobody waiting.
bool LoopRegistry::shares_poll_fd(const Loop &loop) {
	bool any = false;
	for (auto &[key, other] : loops_) {
		if (loop.poll_fd && other.poll_fd == loop.poll_fd && other.totals.pid == loop.totals.pid &&
		    other.totals.tid != loop.totals.tid) {
			ignore(other);
			any = true;
		}
	}
	if (any) {
		context_.collector.followed().is_pool(loop.totals.pid);
	}
	return any;
}

// Node has a thread for the delayed tasks of its platform, which has a loop of libuv, too. Its main thread is not that one.
bool LoopRegistry::may_be_the_runtimes(const Loop &loop) {
	return !loop.runtimes_own && loop.totals.tid != loop.totals.pid && !context_.asked_for(loop.totals.tid) &&
	       facts_.programs.runtime(loop.totals.pid).kind == RuntimeKind::node;
}

void LoopRegistry::decide(Loop &loop, bool runtimes_own) {
	loop.runtimes_own = runtimes_own;
	const std::optional<LoopAppeared> event = std::exchange(loop.appeared, std::nullopt);
	if (runtimes_own || !event) {
		ignore(loop);
	} else {
		accept(loop, *event);
	}
}

// It has come to its poll call.
void LoopRegistry::accept(Loop &loop, const LoopAppeared &event) {
	// Each worker thread of Node has a loop: the main thread may be frozen all the same.
	if (Process *process = processes_.find(event.pid);
	    process != nullptr && (event.tid == event.pid || facts_.programs.runtime(event.pid).kind != RuntimeKind::node)) {
		process->has_loop = true;
	}
	facts_.history.came_to_loop(event.pid);
	loop.status = LoopStatus::polling;
	if (std::exchange(loop.kernel_ignores, false)) {
		context_.collector.ignore(loop.key, false);
	}
	announce(loop, &event);
}

void LoopRegistry::announce(Loop &loop, const LoopAppeared *event) {
	loop.announced = true;
	if (loop.totals.tid != loop.totals.pid) { // a main thread goes by its process's name
		loop.thread = facts_.programs.thread_name(loop.totals.pid, loop.totals.tid, loop.thread);
	}
	LoopFound found;
	found.pid = loop.totals.pid;
	found.tid = loop.totals.tid;
	found.comm = loop.comm;
	found.thread = loop.thread;
	const Process *process = processes_.find(loop.totals.pid);
	found.start_ns = event != nullptr ? event->time_ns : process != nullptr ? process->since_ns : 0;
	found.runtime = facts_.programs.runtime(loop.totals.pid);
	found.placement = process::placement_of(context_.proc.cgroups(loop.totals.pid));
	found.name = facts_.programs.name(loop.totals.pid);
	if (event != nullptr && event->poll_syscall) {
		found.poll = OwnPoll{inspect::Resolver::syscall_text(event->poll_syscall).value_or("unknown"), event->poll_fd};
	}
	context_.write(found);
}

void LoopRegistry::ignore(Loop &loop) {
	if (loop.silent()) {
		return;
	}
	if (before_leaving_) {
		before_leaving_(loop, Leaves::ignored);
	}
	loop.status = LoopStatus::ignored;
	loop.appeared.reset();
	loop.kernel_ignores = true;
	context_.collector.ignore(loop.key, true);
}

void LoopRegistry::disown(Loop &loop) {
	loop.announced = false;
	ignore(loop);
}

void LoopRegistry::end(const LoopEnd &end) {
	const auto entry = loops_.find(end.key);
	if (entry == loops_.end()) {
		return;
	}
	if (Loop &loop = entry->second; loop.announced) {
		loop.totals.iterations = end.iterations;
		loop.totals.busy_ns = end.busy_ns;
		loop.totals.idle_ns = end.idle_ns;
		loop.totals.longest_ns = end.longest_ns;
	}
	remove(entry);
}

void LoopRegistry::remove_process(std::uint32_t pid) {
	for (auto entry = loops_.begin(); entry != loops_.end();) {
		entry = entry->second.totals.pid == pid ? remove(entry) : std::next(entry);
	}
}

std::map<LoopKey, Loop>::iterator LoopRegistry::remove(std::map<LoopKey, Loop>::iterator entry) {
	Loop &loop = entry->second;
	if (before_leaving_) {
		before_leaving_(loop, Leaves::ended);
	}
	if (loop.announced) {
		ended_.add(loop.totals);
	}
	dropped_waits_ += loop.buffer.dropped_waits();
	return loops_.erase(entry);
}

std::uint64_t LoopRegistry::dropped_waits() const {
	std::uint64_t all = dropped_waits_;
	for (const auto &[key, loop] : loops_) {
		all += loop.buffer.dropped_waits();
	}
	return all;
}

std::vector<LoopState> LoopRegistry::current() const {
	std::vector<LoopState> states = context_.collector.table().loops();
	std::erase_if(states, [&](const LoopState &state) {
		const auto loop = loops_.find(state.key);
		return loop == loops_.end() || !loop->second.announced;
	});
	return states;
}

std::vector<LoopTotals> LoopRegistry::totals() const {
	std::vector<LoopTotals> totals(ended_.totals().begin(), ended_.totals().end());
	for (const auto &[key, loop] : loops_) {
		if (loop.announced) {
			totals.push_back(loop.totals);
		}
	}
	return totals;
}

} // namespace loopsnoop::session

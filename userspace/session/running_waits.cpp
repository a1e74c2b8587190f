// SPDX-License-Identifier: Apache-2.0
#include "session/running_waits.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "analysis/database_wait.h"

namespace loopsnoop::session {

// A process that is followed with its parent may be ended any moment, and takes the names with it; others move them.
void RunningWaits::keep_names(Loop &loop, const RawWait &wait) {
	constexpr std::size_t max_early = 16;
	constexpr std::uint64_t worth_it = 10; // that part of the threshold
	auto &early = loop.names.early;
	if (wait.stack_key == 0 || early.size() >= max_early || wait.off_ns < context_.options.threshold_ns / worth_it) {
		return;
	}
	const bool starting = loop.status == LoopStatus::starting || loop.status == LoopStatus::in_callback;
	if (((facts_.history.on() && starting) || facts_.resolver.names_move(wait.pid)) &&
	    std::ranges::find(early, wait.stack_key, &std::pair<std::uint64_t, Stack>::first) == early.end()) {
		const Stack *known = names_of(loop, wait); // kept for one wait only
		early.emplace_back(wait.stack_key, known != nullptr ? *known : facts_.resolver.stack(wait.stack));
	}
}

const Stack *RunningWaits::names_of(const Loop &loop, const RawWait &wait) {
	if (wait.stack_key == 0) {
		return nullptr;
	}
	if (loop.names.stack && wait.stack_key == loop.names.stack_key) {
		return &*loop.names.stack;
	}
	const auto early = std::ranges::find(loop.names.early, wait.stack_key, &std::pair<std::uint64_t, Stack>::first);
	return early != loop.names.early.end() ? &early->second : nullptr;
}

// Perhaps a stall, and asleep: its frames get their names now. When it ends the names may be gone, with the process or with code
// that is run only once (a module's).
void RunningWaits::read(Loop &loop, const LoopState &state) {
	if (state.off_since_ns == 0) {
		return;
	}
	facts_.programs.learn_thread_names(state.pid); // whoever wakes it may end right after
	std::optional<RawWait> wait = context_.collector.table().current_wait(loop.key);
	if (!wait || wait->iteration != state.iteration) {
		return;
	}
	python_.read_missing(loop, state, *wait);
	PythonFrames::add_missing(loop, *wait);
	if (wait->stack_key != 0 && wait->stack_key != loop.names.stack_key) {
		loop.names.stack = facts_.resolver.stack(wait->stack);
		if (loop.names.stack->native_truncated) { // a nested poll call of Node has 12 KiB of events on the stack, twice
			inspect::Inspector::complete_stack(wait->stack);
			loop.names.stack = facts_.resolver.stack(wait->stack);
		}
		loop.names.stack_key = wait->stack_key;
	}
	if (wait->syscall == state.off_syscall && wait->cause == state.off_cause) {
		read_resource(loop, state, *wait);
	}
}

// Who holds a lock, or has the other end of a connection, can only be read while the wait goes on. Once a wait.
void RunningWaits::read_resource(Loop &loop, const LoopState &state, const RawWait &wait) {
	const std::uint64_t now = context_.now_ns();
	const bool has_names = wait.stack_key != 0 && wait.stack_key == loop.names.stack_key;
	const bool is_lock = has_names && (wait.cause == Cause::futex ||
	                                   (wait.cause == Cause::sleep && analysis::sleeps_in_sqlite(*loop.names.stack)));
	// A search for the process at the other end goes through all processes: only for what is about to be a stall.
	const bool has_end =
	    wait.cause == Cause::socket || wait.cause == Cause::pipe || wait.cause == Cause::poll || wait.cause == Cause::file_io;
	const bool is_late = now - std::min(now, state.off_since_ns) >= context_.options.threshold_ns / 2;
	if (state.off_since_ns == loop.names.viewed_off_since_ns || !(is_lock || (has_end && is_late))) {
		return;
	}
	loop.names.viewed_off_since_ns = state.off_since_ns;
	Cause cause = wait.cause;
	auto resource = facts_.resolver.resource(wait.pid, wait.target, cause);
	facts_.resolver.view_file_lock(wait.pid, inspect::Resolver::syscall_text(wait.syscall), wait.target, resource);
	if (is_lock) {
		facts_.resolver.view_lock(wait.stack, *loop.names.stack, resource);
	}
	if (auto *lock = resource ? std::get_if<FutexResource>(&resource->is) : nullptr; lock != nullptr && lock->holder) {
		lock->holder->thread = facts_.programs.thread_name(wait.pid, lock->holder->tid, lock->holder->thread);
	}
	if (resource) {
		loop.seen.add(state.iteration, inspect::SeenResource{now, std::move(*resource)});
	}
}

std::optional<RawWait> RunningWaits::current(Loop &loop, const LoopState &state, const ThreadSnapshot *snapshot) {
	if (state.off_since_ns == 0 || !state.off_cause) {
		return std::nullopt; // it runs
	}
	std::optional<RawWait> captured = context_.collector.table().current_wait(loop.key);
	if (captured && captured->iteration == state.iteration && captured->syscall == state.off_syscall &&
	    *state.off_cause == captured->cause && captured->stack.from == StackFrom::captured) {
		PythonFrames::add_missing(loop, *captured);
		captured->off_ns +=
		    snapshot != nullptr && snapshot->now_ns > state.off_since_ns ? snapshot->now_ns - state.off_since_ns : 0;
		captured->count++;
		captured->ongoing = true;
		if (snapshot != nullptr) {
			captured->stack.kernel = snapshot->stack.kernel;
			// Too short a sleep so far for PythonFrames::read_missing().
			if (captured->stack.python.empty() && snapshot->stack.registers.sp() == captured->stack.registers.sp()) {
				captured->stack.python = snapshot->stack.python;
				captured->stack_key = 0; // not what the kept names are of
			}
		}
		return captured;
	}
	// A thread on the run queue has what it waited for: the snapshot, if it is of a sleep, is of another moment.
	if (*state.off_cause == Cause::runqueue || snapshot == nullptr || snapshot->running || !snapshot->stack.have_registers) {
		return std::nullopt;
	}
	RawWait live = inspector_.wait(*snapshot);
	live.key = loop.key;
	live.iteration = state.iteration;
	live.start_ns = std::max(state.off_since_ns, state.iteration_start_ns);
	live.off_ns = snapshot->now_ns > live.start_ns ? snapshot->now_ns - live.start_ns : 0;
	loop.uncaptured = UncapturedWait{live, *state.off_cause};
	return live;
}

void RunningWaits::add_uncaptured(const Loop &loop, const Breakdown &breakdown, std::uint64_t end_ns,
                                  std::vector<RawWait> &waits) {
	if (!loop.uncaptured) {
		return;
	}
	RawWait live = loop.uncaptured->wait;
	std::uint64_t known = 0;
	for (const RawWait &wait : waits) {
		if (wait.cause == loop.uncaptured->kernel_cause) {
			known += wait.off_ns - std::min(wait.off_ns, wait.run_delay_ns);
		}
	}
	const std::uint64_t all = part_of(breakdown, loop.uncaptured->kernel_cause).ns;
	const std::uint64_t room = end_ns - std::min(end_ns, live.start_ns);
	if (all <= known || room == 0) {
		return;
	}
	live.off_ns = std::min(all - known, room);
	live.ongoing = false;
	waits.push_back(std::move(live));
}

} // namespace loopsnoop::session

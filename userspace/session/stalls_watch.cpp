// SPDX-License-Identifier: Apache-2.0
// What runs right now: iterations that grow old, reported while they do.
#include "session/stalls.h"

#include <malloc.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "analysis/culprit.h"
#include "analysis/database_wait.h"
#include "analysis/story.h"
#include "base/clock.h"

namespace loopsnoop::session {

namespace {

constexpr std::uint64_t rest_pause_ns = 2'000'000'000;
constexpr std::uint64_t care_pause_ns = 1'000'000'000;

} // namespace

void Stalls::tick(Handled handled) {
	const std::uint64_t now = monotonic_ns();
	next_due_ns_ = ~0ULL;
	find_lost_ends(handled);
	children_.refresh(now);
	history_.tick();
	sort_pending_loops(now);
	for (auto &[key, loop] : loops_) {
		if (now < loop.next_care_ns) {
			continue;
		}
		if (const auto process = processes_.find(loop.totals.pid); process != processes_.end() && process->second.found) {
			loop.next_care_ns = now + care_pause_ns;
		}
		throttling_.tick(loop.totals.pid, now);
		if (!loop.python_known && now >= loop.next_python_ns) {
			if (const auto state = collector_.loop(key)) {
				learn_python(loop, *state);
			}
		}
	}
	// Those that are idle have nothing to tell.
	for (const LoopState &state : collector_.busy_loops()) {
		if (const auto entry = loops_.find(state.key); entry != loops_.end()) {
			watch(entry->second, state, now);
		}
	}
	if (now >= next_rest_ns_) {
		next_rest_ns_ = now + rest_pause_ns;
		malloc_trim(0); // what reading the last stacks left free goes back to the system
		programs_.forget_gone();
		notice_gone(now);
	}
}

// Processes whose end was not told, because its record was lost: without this the session would wait for them for ever. Twice
// gone, because the record may only be on its way. Of many only some each time.
void Stalls::notice_gone(std::uint64_t now_ns) {
	constexpr std::size_t most = 64;
	std::vector<std::uint32_t> gone;
	auto entry = processes_.lower_bound(next_missed_pid_);
	for (std::size_t i = 0; i < std::min(most, processes_.size()); i++, ++entry) {
		if (entry == processes_.end()) {
			entry = processes_.begin();
		}
		const auto status = proc_.status(entry->first);
		const bool missing = !status || status->state == 'Z' || status->state == 'X';
		if (missing && std::exchange(entry->second.missed, true)) {
			gone.push_back(entry->first);
		}
		entry->second.missed = missing;
	}
	next_missed_pid_ = entry == processes_.end() ? 0 : entry->first;
	for (const std::uint32_t pid : gone) {
		processes_.erase(pid);
		for (auto loop = loops_.begin(); loop != loops_.end();) {
			loop = loop->second.totals.pid == pid ? retire(loop) : std::next(loop);
		}
		ProcessExit exit;
		exit.pid = pid;
		exit.start_ns = now_ns;
		sink_(exit);
		history_.ended(exit);
		programs_.forget(pid);
		throttling_.forget(pid);
		resolver_.forget(pid);
	}
}

void Stalls::add_up(Loop &loop, const LoopState &state, std::uint64_t now_ns) {
	loop.totals.iterations = state.iterations;
	loop.totals.busy_ns = state.busy_ns;
	loop.totals.idle_ns =
	    state.idle_total_ns + (state.idle_since_ns != 0 && now_ns > state.idle_since_ns ? now_ns - state.idle_since_ns : 0);
	loop.totals.longest_ns = state.longest_ns;
	if (state.iteration_start_ns != 0 && now_ns > state.iteration_start_ns) {
		const std::uint64_t running = now_ns - state.iteration_start_ns;
		loop.totals.busy_ns += running;
		loop.totals.longest_ns = std::max(loop.totals.longest_ns, running);
	}
}

void Stalls::watch(Loop &loop, const LoopState &state, std::uint64_t now_ns) {
	add_up(loop, state, now_ns);
	const auto known = processes_.find(state.pid);
	if (known == processes_.end()) {
		return;
	}
	ProcessInfo &process = known->second;
	if (state.provisional && now_ns - std::min(now_ns, process.since_ns) >= options_.hang_after_ns) {
		const bool inside = loop.in_callback || (!loop.announced && computes_in_callback(loop, state));
		// One that forked others and has no loop minds them: it is they who serve.
		if ((process.has_loop || history_.has_children(state.pid)) && !inside) {
			leave(loop);
			return;
		}
		if (!process.weak_accepted) {
			process.weak_accepted = true;
			collector_.accept_weak_loops(state.pid);
		}
		if (!loop.announced && !loop.ignored) {
			announce(loop, nullptr);
		}
	}
	const std::uint64_t start = busy_since(state.iteration_start_ns, state.off_since_ns, state.woken_at_ns);
	if (start == 0 || now_ns < start) {
		return;
	}
	const std::uint64_t age = now_ns - start;
	if (loop.ongoing && !runs_on(*loop.ongoing, state)) {
		return; // its end is on the way
	}
	// Long enough asleep to be worth it, early enough for a stall that is just over the threshold to be looked at before it ends.
	constexpr std::uint64_t long_sleep = 20;
	const bool sleeps_long = state.off_since_ns != 0 && now_ns > state.off_since_ns &&
	                         now_ns - state.off_since_ns >= options_.threshold_ns / long_sleep;
	if (sleeps_long && !loop.ignored) {
		resolve_early(loop, state);
	}
	if (const std::uint64_t late = state.off_since_ns + options_.threshold_ns / 2;
	    state.off_since_ns != 0 && late > now_ns && !loop.ignored) {
		next_due_ns_ = std::min(next_due_ns_, late); // see view_early()
	}
	// Who holds the GIL is heard of soon, before that thread may have ended.
	constexpr std::uint64_t suspicious = 4;
	if (state.off_cause == Cause::gil && age >= options_.threshold_ns / suspicious && !loop.ignored) {
		next_due_ns_ = now_ns;
	}
	const std::uint64_t due = loop.ongoing ? loop.ongoing->next_age_ns : options_.hang_after_ns;
	if (loop.ignored) {
		return;
	}
	if (age >= due) {
		report_ongoing(loop, Word::ongoing);
	}
	next_due_ns_ = std::min(next_due_ns_, start + (loop.ongoing ? loop.ongoing->next_age_ns : options_.hang_after_ns));
}

// Perhaps a stall, and asleep: its frames get their names now. When it ends the names may be gone, with the process or with code
// that is run only once (a module's).
void Stalls::resolve_early(Loop &loop, const LoopState &state) {
	if (state.off_since_ns == 0) {
		return;
	}
	programs_.learn_thread_names(state.pid); // whoever wakes it may end right after
	std::optional<RawWait> wait = collector_.current_wait(loop.key);
	if (!wait || wait->iteration != state.iteration) {
		return;
	}
	read_missing_python(loop, state, *wait);
	add_missed_python(loop, *wait);
	if (wait->stack_key != 0 && wait->stack_key != loop.resolved_key) {
		loop.resolved = resolver_.stack(wait->stack);
		loop.resolved_key = wait->stack_key;
	}
	if (wait->syscall == state.off_syscall && wait->cause == state.off_cause) {
		view_early(loop, state, *wait);
	}
}

// Who holds a lock, or has the other end of a connection, can only be told while the wait goes on. Once a wait.
void Stalls::view_early(Loop &loop, const LoopState &state, const RawWait &wait) {
	const std::uint64_t now = monotonic_ns();
	const bool is_resolved = wait.stack_key != 0 && wait.stack_key == loop.resolved_key;
	const bool is_lock =
	    is_resolved && (wait.cause == Cause::futex || (wait.cause == Cause::sleep && analysis::sleeps_in_sqlite(*loop.resolved)));
	// A search for the process at the other end goes through all processes: only for what is about to be a stall.
	const bool has_end =
	    wait.cause == Cause::socket || wait.cause == Cause::pipe || wait.cause == Cause::poll || wait.cause == Cause::file_io;
	const bool is_late = now - std::min(now, state.off_since_ns) >= options_.threshold_ns / 2;
	if (state.off_since_ns == loop.viewed_off_ns || !(is_lock || (has_end && is_late))) {
		return;
	}
	loop.viewed_off_ns = state.off_since_ns;
	Cause cause = wait.cause;
	auto resource = resolver_.resource(wait.pid, wait.target, cause);
	resolver_.view_file_lock(wait.pid, inspect::Resolver::syscall_text(wait.syscall), wait.target, resource);
	if (is_lock) {
		resolver_.view_lock(wait.stack, *loop.resolved, resource);
	}
	if (auto *lock = resource ? std::get_if<FutexResource>(&resource->is) : nullptr; lock != nullptr && lock->holder) {
		lock->holder->thread = programs_.thread_name(wait.pid, lock->holder->tid, lock->holder->thread);
	}
	if (resource) {
		loop.seen.add(state.iteration, inspect::SeenResource{now, std::move(*resource)});
	}
}

// What the main thread of a process did when the signal came that ended it, or last of all.
void Stalls::note_last_deed(const Loop &loop, const IterationEnded &event, const std::vector<RawWait> &waits,
                            const std::vector<RawSample> &samples) {
	if (!history_.on() || loop.totals.tid != loop.totals.pid) {
		return;
	}
	const auto signal = history_.signal_of(loop.totals.pid);
	if (signal && signal->was_idle) {
		return; // it was no iteration then
	}
	const std::uint64_t at = signal ? signal->time_ns : event.end_ns;
	const RawWait *wait = nullptr;
	for (const RawWait &one : waits) {
		if (one.start_ns <= at && (wait == nullptr || one.end_ns >= wait->end_ns)) {
			wait = &one;
		}
	}
	const RawSample *sample = nullptr;
	for (const RawSample &one : samples) {
		if (one.time_ns <= at && (sample == nullptr || one.time_ns >= sample->time_ns)) {
			sample = &one;
		}
	}
	if (wait != nullptr && (wait->end_ns >= at || sample == nullptr || wait->end_ns >= sample->time_ns)) {
		const Wait named = resolver_.wait(*wait, resolved(loop, *wait));
		history_.did(loop.totals.pid, analysis::describe_wait(named),
		             named.stack ? analysis::culprit_of(*named.stack) : std::nullopt);
	} else if (sample != nullptr) {
		Stack stack;
		stack.python = sample->python;
		history_.did(loop.totals.pid, "computing", analysis::culprit_of(stack));
	}
}

} // namespace loopsnoop::session

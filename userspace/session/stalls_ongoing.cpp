// SPDX-License-Identifier: Apache-2.0
// Stalls that go on: each is told while it does, and whoever heard of it hears of its end exactly once.
#include "session/stalls.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "analysis/culprit.h"
#include "analysis/story.h"
#include "analysis/waits.h"
#include "base/clock.h"
#include "inspect/circumstances.h"
#include "inspect/thread_views.h"

namespace loopsnoop::session {

namespace {

// Native stacks of that many other threads; beyond, interpreter and kernel frames only, to keep the look short.
constexpr std::size_t threads_with_native_stack = 64;

} // namespace

std::optional<RawWait> Stalls::wait_now(Loop &loop, const LoopState &state, const ThreadSnapshot *snapshot) {
	if (state.off_since_ns == 0 || !state.off_cause) {
		return std::nullopt; // it runs
	}
	std::optional<RawWait> captured = collector_.current_wait(loop.key);
	if (captured && captured->iteration == state.iteration && captured->syscall == state.off_syscall &&
	    *state.off_cause == captured->cause && captured->stack.from == StackFrom::captured) {
		add_missed_python(loop, *captured);
		captured->off_ns +=
		    snapshot != nullptr && snapshot->now_ns > state.off_since_ns ? snapshot->now_ns - state.off_since_ns : 0;
		captured->count++;
		captured->ongoing = true;
		if (snapshot != nullptr) {
			captured->stack.kernel = snapshot->stack.kernel;
			// Too short a sleep so far for read_missing_python().
			if (captured->stack.python.empty() && snapshot->stack.registers.sp() == captured->stack.registers.sp()) {
				captured->stack.python = snapshot->stack.python;
				captured->stack_key = 0; // not what the kept names are of
			}
		}
		return captured;
	}
	if (snapshot == nullptr || snapshot->running || !snapshot->stack.have_registers) {
		return std::nullopt;
	}
	RawWait live = inspector_.wait(*snapshot);
	live.key = loop.key;
	live.iteration = state.iteration;
	live.start_ns = std::max(state.off_since_ns, state.iteration_start_ns);
	live.off_ns = snapshot->now_ns > live.start_ns ? snapshot->now_ns - live.start_ns : 0;
	loop.live = live;
	loop.live_kernel_cause = *state.off_cause;
	return live;
}

// Whether what runs now is what there was to report: another iteration may have begun since.
bool Stalls::runs_still(const Loop &loop, const LoopState &state) const {
	const std::uint64_t start = state.iteration_start_ns != 0 ? state.iteration_start_ns : state.woken_at_ns;
	if (start == 0) {
		return false;
	}
	if (loop.ongoing) {
		return runs_on(*loop.ongoing, state);
	}
	const std::uint64_t now = monotonic_ns();
	return now >= start && now - start >= options_.threshold_ns;
}

bool Stalls::report_ongoing(Loop &loop, Word word) {
	const auto state_now = [&] { return collector_.loop(loop.key); };
	// A thread that moves while it is looked at is looked at again; one that never holds still is reported by its account alone.
	constexpr int tries = 3;
	std::optional<LoopState> state;
	std::vector<ThreadSnapshot> snapshots;
	std::optional<RawWait> wait;
	std::uint64_t looked_ns = 0;
	std::uint64_t seen_ns = 0; // it ran still at that moment: what is told of it is never longer than it was in the end
	for (int i = 0; i < tries; i++) {
		const std::uint64_t asked_ns = monotonic_ns();
		state = state_now();
		if (!state || !runs_still(loop, *state)) {
			return false; // it ended this moment; its record is on the way
		}
		seen_ns = asked_ns;
		snapshots = inspector_.snapshot(loop.totals.pid);
		const auto own = std::find_if(snapshots.begin(), snapshots.end(),
		                              [&](const ThreadSnapshot &snapshot) { return snapshot.tid == loop.totals.tid; });
		if (own != snapshots.end()) {
			inspector_.read_stack(*own);
			looked_ns = own->now_ns;
		}
		wait = wait_now(loop, *state, own != snapshots.end() ? &*own : nullptr);
		const std::uint64_t asked_again_ns = monotonic_ns();
		const auto after = state_now();
		if (after && after->changes == state->changes) {
			seen_ns = asked_again_ns;
			break;
		}
		wait.reset();
	}
	const std::uint64_t start = state->iteration_start_ns != 0 ? state->iteration_start_ns : state->woken_at_ns;
	Stall stall = begin_record(loop, start, std::max(start, seen_ns));
	stall.ongoing = true;
	stall.breakdown = state->account;
	const std::uint64_t end = start + stall.duration_ns;
	if (state->iteration_start_ns == 0) {
		part_of(stall.breakdown, Cause::runqueue) = {stall.duration_ns, 1};
	} else if (state->off_since_ns != 0 && state->off_cause) {
		const Cause cause = wait ? wait->cause : *state->off_cause;
		const std::uint64_t since = std::max(state->off_since_ns, start);
		const std::uint64_t woken = state->woken_at_ns > since ? state->woken_at_ns : end;
		part_of(stall.breakdown, cause).ns += woken - since;
		part_of(stall.breakdown, cause).count++;
		if (wait && looked_ns != 0 && end > looked_ns) {
			wait->off_ns += end - looked_ns; // it went on while it was looked at
		}
		if (woken < end) {
			part_of(stall.breakdown, Cause::runqueue).ns += end - woken;
			part_of(stall.breakdown, Cause::runqueue).count++;
		}
	}
	if (state->off_since_ns != 0 && state->off_cause == Cause::gil) {
		gil_.sample_holder(loop.key, loop.totals.pid, loop.totals.tid, state->iteration, std::max(state->off_since_ns, start));
	}
	stall.truncated = state->before_attach ? Truncated::before_attach : Truncated::no;
	stall.no_loop_yet = state->provisional && !loop.in_callback;
	std::vector<RawWait> waits = loop.buffer.waits(state->iteration);
	if (wait) {
		loop.buffer.complete(*wait);
		waits.push_back(std::move(*wait));
	}
	std::vector<RawSample> samples = loop.buffer.samples(state->iteration);

	std::vector<ThreadView> views;
	views.reserve(snapshots.size());
	for (const ThreadSnapshot &snapshot : snapshots) {
		views.push_back(inspector_.view(snapshot, snapshot.tid == loop.totals.tid || views.size() < threads_with_native_stack));
	}
	stall.deadlock = inspect::complete_views(inspector_, programs_, loop.totals.pid, snapshots, views, loop.totals.tid);
	std::optional<ThreadView> own_view;
	if (const auto own = std::ranges::find(views, loop.totals.tid, &ThreadView::tid); own != views.end()) {
		own_view = std::move(*own);
		views.erase(own);
	}
	stall.threads = std::move(views);
	fill(loop, stall, state->iteration, waits, samples);
	if (is_helper(stall)) {
		if (loop.ongoing) {
			tell_unseen_end(loop, Truncated::session_end);
		}
		loop.announced = false;
		leave(loop);
		return false;
	}
	const bool completed = own_view && !own_view->moved && inspect::complete_wait(stall, *own_view);
	const bool inferred = last_holders_.infer(stall, *stall.threads);
	if (inspect::add_circumstances(stall, proc_, inspector_) || completed || inferred) {
		analysis::tell_story(stall);
	}
	if (auto seen = inspect::resource_in(stall, looked_ns)) {
		loop.seen.add(state->iteration, std::move(*seen));
	}
	stall.id = loop.ongoing ? loop.ongoing->id : next_id_++;
	if (word == Word::last) {
		stall.ongoing = false;
		stall.goes_on = true;
		if (stall.truncated == Truncated::no) {
			stall.truncated = Truncated::session_end;
		}
		analysis::tell_story(stall);
		count(loop, stall);
	} else {
		if (!loop.ongoing) {
			loop.ongoing = Ongoing{};
		}
		Ongoing &ongoing = *loop.ongoing;
		ongoing.id = stall.id;
		ongoing.iteration = running_iteration(*state);
		ongoing.start_ns = start;
		ongoing.next_age_ns = std::max(ongoing.next_age_ns, options_.hang_after_ns);
		while (ongoing.next_age_ns <= stall.duration_ns) {
			ongoing.next_age_ns *= 2;
		}
		ongoing.told = stall;
	}
	sink_(stall);
	return true;
}

// Of the iteration that was told of; or it has been woken for it and has not run since.
bool Stalls::runs_on(const Ongoing &ongoing, const LoopState &state) {
	return busy_since(state.iteration_start_ns, state.off_since_ns, state.woken_at_ns) != 0 &&
	       running_iteration(state) == ongoing.iteration;
}

// What was told last is told again as its end.
void Stalls::tell_unseen_end(Loop &loop, Truncated how) {
	Stall stall = std::move(loop.ongoing->told);
	loop.ongoing.reset();
	stall.ongoing = false;
	if (stall.truncated == Truncated::no) {
		stall.truncated = how;
	}
	analysis::tell_story(stall);
	count(loop, stall);
	sink_(stall);
}

// The record of an end may be lost (that is counted), and of a wake-up that came to nothing there is none. Looked at twice, with
// all events handled each time: the loop may have gone on since they were.
void Stalls::find_lost_ends(Handled handled) {
	constexpr unsigned enough = 2;
	for (auto &[key, loop] : loops_) {
		if (!loop.ongoing || handled != Handled::all) {
			continue;
		}
		const auto state = collector_.loop(key);
		loop.ongoing->missed = state && runs_on(*loop.ongoing, *state) ? 0 : loop.ongoing->missed + 1;
		if (loop.ongoing->missed >= enough) {
			tell_unseen_end(loop, Truncated::end_lost);
		}
	}
}

// No loop after all. A stall that was told of gets its last record all the same, from the kernel if it ended this moment.
void Stalls::leave(Loop &loop) {
	if (loop.ignored) {
		return;
	}
	if (loop.ongoing && report_ongoing(loop, Word::last)) {
		loop.ongoing.reset();
	}
	loop.ignored = true;
	collector_.ignore(loop.key, true);
}

// A process beside the one that forked it, which waits for it: multiprocessing's resource tracker, say.
bool Stalls::is_helper(const Stall &stall) const {
	const Wait *wait = analysis::main_wait(stall);
	const auto *pipe = wait != nullptr && wait->resource ? std::get_if<PipeResource>(&wait->resource->is) : nullptr;
	if (!history_.on() || !stall.no_loop_yet || pipe == nullptr || !wait->ongoing || wait->syscall != "read" || !pipe->peer) {
		return false;
	}
	if (processes_.contains(pipe->peer->pid)) {
		return true;
	}
	// All children of that one have the other end, too: one may be new, its record not yet read, or about to be gone.
	const auto peer = proc_.status(pipe->peer->pid);
	return peer && processes_.contains(peer->ppid);
}

std::optional<std::uint64_t> Stalls::oldest_ongoing_ns() const {
	std::optional<std::uint64_t> oldest;
	const std::uint64_t now = monotonic_ns();
	for (const auto &[key, loop] : loops_) {
		if (loop.ongoing) {
			oldest = std::max(oldest.value_or(0), now - loop.ongoing->start_ns);
		}
	}
	return oldest;
}

} // namespace loopsnoop::session

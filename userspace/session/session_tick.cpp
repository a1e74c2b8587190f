// SPDX-License-Identifier: Apache-2.0
#include "session/session_tick.h"

#include <malloc.h>

#include <algorithm>
#include <utility>

#include "model/settings.h"

namespace loopsnoop::session {

namespace {

constexpr std::uint64_t rest_pause_ns = 2'000'000'000;
constexpr std::uint64_t care_pause_ns = 1'000'000'000;

// The kernel's account of the loop, with what runs at this moment.
void update_totals(LoopTotals &totals, const LoopState &state, std::uint64_t now_ns) {
	totals.iterations = state.iterations;
	totals.busy_ns = state.busy_ns;
	const bool idle = state.idle_since_ns != 0 && now_ns > state.idle_since_ns;
	totals.idle_ns = state.idle_total_ns + (idle ? now_ns - state.idle_since_ns : 0);
	totals.longest_ns = state.longest_ns;
	if (state.iteration_start_ns != 0 && now_ns > state.iteration_start_ns) {
		const std::uint64_t running = now_ns - state.iteration_start_ns;
		totals.busy_ns += running;
		totals.longest_ns = std::max(totals.longest_ns, running);
	}
}

} // namespace

void SessionTick::prepare() {
	for (const LoopState &state : context_.collector.table().loops()) {
		if (Loop *loop = parts_.loops.find(state.key); loop != nullptr) {
			parts_.python.learn(*loop, state);
		}
	}
}

void SessionTick::tick(Handled handled) {
	const std::uint64_t now = context_.now_ns();
	next_due_ns_ = ~0ULL;
	if (handled == Handled::all) {
		parts_.ongoing.find_lost_ends();
	}
	parts_.facts.children.refresh(now);
	parts_.facts.history.tick();
	parts_.attach.decide_pending(now);
	care_for_loops(now);
	watch_busy_loops(now);
	if (now >= next_rest_ns_) {
		next_rest_ns_ = now + rest_pause_ns;
		malloc_trim(0); // what reading the last stacks left free goes back to the system
		parts_.facts.programs.forget_gone();
		parts_.processes.find_lost_ends();
	}
}

void SessionTick::care_for_loops(std::uint64_t now_ns) {
	for (auto &[key, loop] : parts_.loops.all()) {
		if (now_ns < loop.next_care_ns) {
			continue;
		}
		if (const Process *process = parts_.processes.find(loop.totals.pid); process != nullptr && process->found) {
			loop.next_care_ns = now_ns + care_pause_ns;
		}
		parts_.facts.throttling.tick(loop.totals.pid, now_ns);
		// Where the interpreter keeps its tasks takes longest to find: before a stall may be short.
		auto *interpreter =
		    loop.python.known && loop.python.next_task_ns == 0 ? parts_.facts.programs.interpreter(loop.totals.pid) : nullptr;
		if (interpreter != nullptr) {
			loop.python.next_task_ns = now_ns;
			(void)parts_.facts.tasks.sample(loop.totals.pid, loop.totals.tid, *interpreter, {false, true});
		}
		if (!loop.python.known && now_ns >= loop.python.next_try_ns) {
			if (const auto state = context_.collector.table().loop(key)) {
				parts_.python.learn(loop, *state);
			}
		}
	}
}

void SessionTick::watch_busy_loops(std::uint64_t now_ns) {
	for (const LoopState &state : context_.collector.table().busy_loops()) {
		if (Loop *loop = parts_.loops.find(state.key); loop != nullptr) {
			watch(*loop, state, now_ns);
		}
	}
}

void SessionTick::watch(Loop &loop, const LoopState &state, std::uint64_t now_ns) {
	update_totals(loop.totals, state, now_ns);
	Process *process = parts_.processes.find(state.pid);
	if (process == nullptr) {
		return;
	}
	if (state.provisional && now_ns - std::min(now_ns, process->since_ns) >= context_.options.hang_after_ns) {
		watch_start(loop, state, *process);
	}
	if (!loop.silent()) {
		watch_iteration(loop, state, now_ns);
	}
}

// A main thread that has not polled for long: the start-up of a loop, or no loop.
void SessionTick::watch_start(Loop &loop, const LoopState &state, Process &process) {
	const bool inside =
	    loop.status == LoopStatus::in_callback || (!loop.announced && parts_.attach.computes_in_callback(loop, state));
	// One that forked others and has no loop minds them: it is they who serve.
	if ((process.has_loop || parts_.facts.history.has_children(state.pid)) && !inside) {
		parts_.loops.ignore(loop);
		return;
	}
	if (!process.weak_accepted) {
		process.weak_accepted = true;
		context_.collector.followed().accept_weak_loops(state.pid);
	}
}

void SessionTick::watch_iteration(Loop &loop, const LoopState &state, std::uint64_t now_ns) {
	const std::uint64_t threshold_ns = context_.options.threshold_ns;
	const std::uint64_t start = busy_since(state.iteration_start_ns, state.off_since_ns, state.woken_at_ns);
	if (loop.passed_over.iteration != OngoingStalls::running_iteration(state)) {
		loop.passed_over = {};
	}
	if (start == 0 || now_ns < start || (loop.ongoing && !OngoingStalls::runs_on(*loop.ongoing, state))) {
		return; // idle, or its end is on the way
	}
	const std::uint64_t age = now_ns - start;
	if (const std::uint64_t since = state.off_since_ns; since != 0) {
		// Long enough asleep to be worth it, early enough for a stall just over the threshold to be read before it ends.
		constexpr std::uint64_t long_sleep = 20;
		if (now_ns > since && now_ns - since >= threshold_ns / long_sleep) {
			parts_.waits.read(loop, state);
		}
		if (since + threshold_ns / 2 > now_ns) {
			due_at(since + threshold_ns / 2); // see RunningWaits::read_resource()
		}
	}
	// Who holds the GIL is heard of soon, before that thread may have ended.
	if (state.off_cause == Cause::gil && age >= threshold_ns / suspicious_share) {
		next_due_ns_ = now_ns;
	}
	sample_python(loop, state, start, now_ns);
	if (age >= parts_.ongoing.due_ns(loop)) {
		parts_.ongoing.report(loop, OngoingStalls::Report::ongoing);
	}
	due_at(start + parts_.ongoing.due_ns(loop));
}

// Whose step the iteration is, and whether the garbage collector is at work, is gone when it has ended.
void SessionTick::sample_python(Loop &loop, const LoopState &state, std::uint64_t start_ns, std::uint64_t now_ns) {
	constexpr std::uint64_t thrift = 50; // at most this part of the time goes into it
	constexpr std::uint64_t shortest_pause_ns = 10'000'000;
	const std::uint64_t first_ns = start_ns + context_.options.threshold_ns / 2;
	PythonState &python = loop.python;
	const bool asleep = state.off_since_ns != 0;
	// In one sleep nothing changes.
	const bool known =
	    python.samples.iteration() == state.iteration && asleep && python.sampled_off_since_ns == state.off_since_ns;
	if (known || state.iteration_start_ns == 0) {
		return;
	}
	const std::uint64_t next_ns = std::max({first_ns, python.next_sample_ns, python_rest_ns_});
	if (now_ns < next_ns) {
		due_at(next_ns);
		return;
	}
	auto *interpreter = parts_.facts.programs.interpreter(state.pid);
	if (interpreter == nullptr) {
		return;
	}
	const auto add = [&](inspect::TaskInspector::Wanted wanted) {
		inspect::PythonSample sample = parts_.facts.tasks.sample(state.pid, state.tid, *interpreter, wanted);
		const auto after = context_.collector.table().loop(loop.key);
		if (!after || after->iteration != state.iteration || after->iteration_start_ns != state.iteration_start_ns) {
			return false; // of the next iteration, perhaps
		}
		sample.time_ns = now_ns;
		python.samples.add(state.iteration, start_ns, std::move(sample));
		return true;
	};
	const bool first = python.samples.iteration() != state.iteration;
	const bool with_task = first || now_ns >= python.next_task_ns;
	const std::uint64_t begin_ns = context_.now_ns();
	// The collector first: the task takes longer, and a stall may end meanwhile.
	bool there = asleep || add({true, false});
	if (there && with_task) {
		there = add({false, true});
	}
	const std::uint64_t after_ns = context_.now_ns();
	constexpr std::uint64_t thrift_of_all = 20; // of a hundred loops that stall all the time the events matter more
	// The second one comes soon: only two of one iteration show callbacks that follow one another.
	const std::uint64_t cost_pause_ns = (after_ns - now_ns) * (first ? thrift_of_all : thrift);
	python_rest_ns_ = after_ns + (after_ns - begin_ns) * thrift_of_all;
	const std::uint64_t age_ns = now_ns - start_ns;
	if (with_task) {
		constexpr std::uint64_t parts = 10;
		python.next_task_ns = after_ns + std::max({shortest_pause_ns, age_ns / parts, cost_pause_ns});
	}
	python.next_sample_ns = after_ns + std::max({shortest_pause_ns, age_ns / thrift, with_task ? 0 : cost_pause_ns});
	if (!there) {
		return;
	}
	python.sampled_off_since_ns = state.off_since_ns;
	if (!asleep) {
		due_at(python.next_sample_ns);
	}
}

void SessionTick::due_at(std::uint64_t time_ns) { next_due_ns_ = std::min(next_due_ns_, time_ns); }

void SessionTick::finish() {
	const std::uint64_t now = context_.now_ns();
	parts_.attach.decide_pending(~0ULL); // there is no later time
	for (const LoopState &state : context_.collector.table().loops()) {
		Loop *loop = parts_.loops.find(state.key);
		if (loop == nullptr || loop->silent()) {
			continue;
		}
		watch(*loop, state, now);
		const bool was_ongoing = loop->ongoing && OngoingStalls::runs_on(*loop->ongoing, state);
		// One that began after `now` was read is young, too.
		const bool young = state.iteration_start_ns == 0 || now < state.iteration_start_ns + context_.options.threshold_ns;
		// A thread that was in a callback when it was first seen is in it still.
		const bool may_be_no_loop = state.provisional && loop->status != LoopStatus::in_callback;
		if (!was_ongoing && (may_be_no_loop || young)) {
			continue;
		}
		if (parts_.ongoing.report(*loop, OngoingStalls::Report::last)) {
			parts_.loops.close(*loop);
		}
	}
}

std::vector<LoopTotals> SessionTick::end() {
	// Once more: no more was stalled than busy.
	const std::uint64_t now = context_.now_ns();
	for (const LoopState &state : context_.collector.table().loops()) {
		if (Loop *loop = parts_.loops.find(state.key); loop != nullptr) {
			update_totals(loop->totals, state, now);
		}
	}
	for (auto &[key, loop] : parts_.loops.all()) {
		if (loop.ongoing) {
			parts_.ongoing.end_unseen(loop, Truncated::session_end);
		}
	}
	return parts_.loops.totals();
}

} // namespace loopsnoop::session

// SPDX-License-Identifier: Apache-2.0
#include "session/ongoing_stalls.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "analysis/circumstances.h"
#include "analysis/culprit.h"
#include "analysis/judge.h"
#include "analysis/standstill.h"
#include "inspect/circumstances.h"
#include "inspect/thread_views.h"
#include "summary/stall_summary.h"

namespace loopsnoop::session {

namespace {

std::uint64_t start_of(const LoopState &state) {
	return state.iteration_start_ns != 0 ? state.iteration_start_ns : state.woken_at_ns;
}

// What runs or waits now belongs to the account as well, which has ended waits only.
void add_current_wait(Breakdown &breakdown, const LoopState &state, std::optional<RawWait> &wait, std::uint64_t start_ns,
                      std::uint64_t end_ns, std::uint64_t snapshot_ns) {
	if (state.iteration_start_ns == 0) {
		part_of(breakdown, Cause::runqueue) = {end_ns - start_ns, 1};
		return;
	}
	if (state.off_since_ns == 0 || !state.off_cause) {
		return; // it runs
	}
	const Cause cause = wait ? wait->cause : *state.off_cause;
	const std::uint64_t since = std::max(state.off_since_ns, start_ns);
	const std::uint64_t woken = state.woken_at_ns > since ? state.woken_at_ns : end_ns;
	part_of(breakdown, cause).ns += woken - since;
	part_of(breakdown, cause).count++;
	if (wait && snapshot_ns != 0 && end_ns > snapshot_ns) {
		wait->off_ns += end_ns - snapshot_ns; // it went on while its snapshot was taken
	}
	if (woken < end_ns) {
		part_of(breakdown, Cause::runqueue).ns += end_ns - woken;
		part_of(breakdown, Cause::runqueue).count++;
	}
}

} // namespace

bool OngoingStalls::runs_on(const OngoingStall &ongoing, const LoopState &state) {
	return busy_since(state.iteration_start_ns, state.off_since_ns, state.woken_at_ns) != 0 &&
	       running_iteration(state) == ongoing.iteration;
}

// Whether what runs now is what there was to report: another iteration may have begun since.
bool OngoingStalls::runs_still(const Loop &loop, const LoopState &state) const {
	const std::uint64_t start = start_of(state);
	if (start == 0) {
		return false;
	}
	if (loop.ongoing) {
		return runs_on(*loop.ongoing, state);
	}
	const std::uint64_t now = context_.now_ns();
	return now >= start && now - start >= context_.options.threshold_ns;
}

// A thread that moves meanwhile is read again; one that never holds still is reported by its account alone.
std::optional<OngoingStalls::Reading> OngoingStalls::read(Loop &loop) {
	constexpr int tries = 3;
	Reading reading;
	for (int i = 0; i < tries; i++) {
		const std::uint64_t asked_ns = context_.now_ns();
		const auto state = context_.collector.table().loop(loop.key);
		if (!state || !runs_still(loop, *state)) {
			return std::nullopt; // it ended this moment; its record is on the way
		}
		reading.state = *state;
		reading.seen_ns = asked_ns;
		reading.snapshots = parts_.inspector.snapshot(loop.totals.pid);
		const auto own = std::ranges::find(reading.snapshots, loop.totals.tid, &ThreadSnapshot::tid);
		if (own != reading.snapshots.end()) {
			parts_.inspector.read_stack(*own);
			reading.snapshot_ns = own->now_ns;
		}
		const std::optional<UncapturedWait> known = loop.uncaptured;
		reading.wait = parts_.waits.current(loop, *state, own != reading.snapshots.end() ? &*own : nullptr);
		const std::uint64_t asked_again_ns = context_.now_ns();
		const auto after = context_.collector.table().loop(loop.key);
		if (after && after->changes == state->changes) {
			reading.seen_ns = asked_again_ns;
			break;
		}
		reading.wait.reset();
		loop.uncaptured = known; // it is of two moments, and may be of two waits
	}
	reading.start_ns = start_of(reading.state);
	return reading;
}

Stall OngoingStalls::begin(const Loop &loop, Reading &reading) {
	const LoopState &state = reading.state;
	Stall stall = parts_.builder.begin(loop, reading.start_ns, std::max(reading.start_ns, reading.seen_ns));
	stall.ongoing = true;
	stall.breakdown = state.account;
	add_current_wait(stall.breakdown, state, reading.wait, reading.start_ns, reading.start_ns + stall.duration_ns,
	                 reading.snapshot_ns);
	if (state.off_since_ns != 0 && state.off_cause == Cause::gil) {
		parts_.gil.sample_holder(loop.key, loop.totals.pid, loop.totals.tid, state.iteration,
		                         std::max(state.off_since_ns, reading.start_ns), context_.now_ns());
	}
	parts_.builder.add_runner(stall, state.runner);
	stall.truncated = state.before_attach ? Truncated::before_attach : Truncated::no;
	stall.no_loop_yet = state.provisional && loop.status != LoopStatus::in_callback;
	return stall;
}

// All threads of the process by name; returns the view of the loop's own.
std::optional<ThreadView> OngoingStalls::add_threads(const Loop &loop, Stall &stall, const Reading &reading) {
	std::vector<ThreadView> views = parts_.inspector.views(reading.snapshots, loop.totals.tid);
	stall.deadlock = inspect::complete_views(parts_.inspector, parts_.facts.programs, loop.totals.pid, reading.snapshots, views,
	                                         loop.totals.tid);
	std::optional<ThreadView> own_view;
	if (const auto own = std::ranges::find(views, loop.totals.tid, &ThreadView::tid); own != views.end()) {
		own_view = std::move(*own);
		views.erase(own);
	}
	for (const ThreadView &view : views) {
		if (view.frames_left_out > 0) {
			stall.left_out = stall.left_out.value_or(LeftOut());
			stall.left_out->frames += view.frames_left_out;
		}
	}
	stall.threads = std::move(views);
	return own_view;
}

// The worker may have been killed before its result was asked for.
bool OngoingStalls::add_killed_worker(Stall &stall) const {
	constexpr std::uint64_t before_ns = 60'000'000'000;
	const Wait *wait = analysis::main_wait(stall);
	const auto *lock = wait != nullptr && wait->resource ? std::get_if<FutexResource>(&wait->resource->is) : nullptr;
	if (lock == nullptr || lock->type != pool_result) {
		return false;
	}
	stall.killed_worker = parts_.facts.history.killed_child(stall.pid, stall.start_ns - std::min(stall.start_ns, before_ns));
	return stall.killed_worker.has_value();
}

bool OngoingStalls::report(Loop &loop, Report which) {
	auto reading = read(loop);
	if (!reading) {
		return false;
	}
	const std::uint64_t iteration = reading->state.iteration;
	Stall stall = begin(loop, *reading);
	std::vector<RawWait> waits = loop.buffer.waits(iteration);
	if (reading->wait) {
		loop.buffer.complete(*reading->wait);
		waits.push_back(std::move(*reading->wait));
	}
	const std::vector<RawSample> samples = loop.buffer.samples(iteration);
	const std::optional<ThreadView> own_view = add_threads(loop, stall, *reading);
	parts_.builder.fill(loop, stall, iteration, waits, samples);
	const inspect::ProcessSigns signs = parts_.bystanders.signs_of(stall);
	if (is_helper(stall) || parts_.bystanders.waits_by_design(stall, signs)) {
		pass_over(loop, stall, running_iteration(reading->state));
		return false;
	}
	const bool served = stall.no_loop_yet && signs.serving && analysis::has_served(*signs.serving);
	if (served) {
		parts_.loops.set_in_callback(loop);
		stall.no_loop_yet = false;
	}
	if (!loop.announced) {
		parts_.loops.announce_starting(loop);
		stall.thread = loop.thread; // a loop gets its thread's name with its first announcement
	}
	const bool completed = own_view && !own_view->moved && inspect::complete_wait(stall, *own_view);
	const bool inferred = parts_.facts.last_holders.infer(stall, *stall.threads);
	const bool waited_for = add_clients(stall);
	const bool killed = add_killed_worker(stall);
	if (inspect::add_circumstances(stall, signs.serving, context_.proc, parts_.facts.programs, parts_.facts.resolver,
	                               parts_.inspector) ||
	    completed || inferred || waited_for || killed || served) {
		analysis::judge(stall);
		summary::summarize(stall);
	}
	if (auto seen = inspect::resource_in(stall, reading->snapshot_ns)) {
		loop.seen.add(iteration, std::move(*seen));
	}
	stall.id = loop.ongoing ? loop.ongoing->id : parts_.totals.new_id();
	if (which == Report::last) {
		write_last(loop, stall);
	} else {
		remember(loop, stall, reading->state);
		context_.write(stall);
	}
	return true;
}

// Of a thread that has never polled nothing is heard any more, unless it polls; others may be waited for in the next iteration.
void OngoingStalls::pass_over(Loop &loop, const Stall &stall, std::uint64_t iteration) {
	if (loop.ongoing) {
		end_unseen(loop, Truncated::session_end);
	}
	if (stall.no_loop_yet) {
		parts_.loops.disown(loop);
	} else {
		loop.passed_over = {iteration, stall.duration_ns * 2};
	}
}

void OngoingStalls::remember(Loop &loop, const Stall &stall, const LoopState &state) {
	if (!loop.ongoing) {
		loop.ongoing.emplace();
	}
	OngoingStall &ongoing = *loop.ongoing;
	ongoing.id = stall.id;
	ongoing.iteration = running_iteration(state);
	ongoing.start_ns = stall.start_ns;
	ongoing.next_age_ns = std::max(ongoing.next_age_ns, context_.options.hang_after_ns);
	while (ongoing.next_age_ns <= stall.duration_ns) {
		ongoing.next_age_ns *= 2;
	}
	ongoing.last_reported = stall;
}

// Who waits while the loop is blocked.
bool OngoingStalls::add_clients(Stall &stall) const {
	const auto connections = parts_.facts.connections.snapshot(stall.pid, context_.now_ns());
	if (!connections) {
		return false;
	}
	Clients clients = analysis::count_clients(*connections);
	const bool waited_for = clients.any();
	if (waited_for) {
		stall.clients = std::move(clients);
	}
	return waited_for;
}

void OngoingStalls::write_last(Loop &loop, Stall &stall) {
	stall.ongoing = false;
	stall.goes_on = true;
	if (stall.truncated == Truncated::no) {
		stall.truncated = Truncated::session_end;
	}
	analysis::judge(stall);
	summary::summarize(stall);
	parts_.totals.add(stall, loop.totals);
	context_.write(stall);
	loop.ongoing.reset();
}

void OngoingStalls::end_unseen(Loop &loop, Truncated how) {
	Stall stall = std::move(loop.ongoing->last_reported);
	loop.ongoing.reset();
	stall.ongoing = false;
	if (stall.truncated == Truncated::no) {
		stall.truncated = how;
	}
	analysis::judge(stall);
	summary::summarize(stall);
	parts_.totals.add(stall, loop.totals);
	context_.write(stall);
}

std::optional<OngoingStall> OngoingStalls::take(Loop &loop, std::uint64_t iteration) {
	if (loop.ongoing && iteration > loop.ongoing->iteration) {
		end_unseen(loop, Truncated::end_lost);
	}
	if (!loop.ongoing || iteration != loop.ongoing->iteration) { // an earlier one comes late, behind many others
		return std::nullopt;
	}
	return std::exchange(loop.ongoing, std::nullopt);
}

// Searched for twice: the loop may have gone on since its events were handled.
void OngoingStalls::find_lost_ends() {
	constexpr unsigned enough = 2;
	for (auto &[key, loop] : parts_.loops.all()) {
		if (!loop.ongoing) {
			continue;
		}
		const auto state = context_.collector.table().loop(key);
		loop.ongoing->missed = state && runs_on(*loop.ongoing, *state) ? 0 : loop.ongoing->missed + 1;
		if (loop.ongoing->missed >= enough) {
			end_unseen(loop, Truncated::end_lost);
		}
	}
}

// A process beside the one that forked it, which waits for it: multiprocessing's resource tracker, say.
bool OngoingStalls::is_helper(const Stall &stall) const {
	const Wait *wait = analysis::main_wait(stall);
	const auto *pipe = wait != nullptr && wait->resource ? std::get_if<PipeResource>(&wait->resource->is) : nullptr;
	if (!parts_.facts.history.on() || !stall.no_loop_yet || pipe == nullptr || !wait->ongoing || wait->syscall != "read" ||
	    !pipe->peer) {
		return false;
	}
	if (parts_.processes.contains(pipe->peer->pid)) {
		return true;
	}
	// All children of that one have the other end, too: one may be new, its record not yet read, or about to be gone.
	const auto peer = context_.proc.status(pipe->peer->pid);
	return peer && parts_.processes.contains(peer->ppid);
}

std::optional<std::uint64_t> OngoingStalls::oldest_ns() const {
	std::optional<std::uint64_t> oldest;
	const std::uint64_t now = context_.now_ns();
	for (const auto &[key, loop] : parts_.loops.all()) {
		if (loop.ongoing) {
			oldest = std::max(oldest.value_or(0), now - loop.ongoing->start_ns);
		}
	}
	return oldest;
}

} // namespace loopsnoop::session

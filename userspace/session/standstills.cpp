// SPDX-License-Identifier: Apache-2.0
#include "session/standstills.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/clock.h"
#include "summary/standstill_summary.h"

namespace loopsnoop::session {

namespace {

using runtimes::cpython::asyncio::Greenlets;

constexpr std::uint64_t again_ns = ns_per_s;          // between two snapshots of what may stand still
constexpr std::uint64_t max_round_ns = 15 * ns_per_s; // between two rounds while nobody waits
constexpr std::uint64_t longest_pause_ns = 60 * ns_per_s;
constexpr std::uint64_t thrift = 1000; // a round takes at most this part of the time
constexpr std::uint64_t gauges_pause_ns = 60 * ns_per_s;
constexpr std::uint64_t tasks_pause_ns = 60 * ns_per_s; // while nobody waits

// How long whoever asked has waited at most; 0: nobody waits.
std::uint64_t longest_wait(const ConnectionsSnapshot &connections) {
	std::uint64_t longest = 0;
	for (const WaitingClient &client : connections.waiting) {
		if (!client.one_way && (!client.accepted || client.asked != WaitingClient::Asked::last)) {
			longest = std::max<std::uint64_t>({longest, client.waited_ns, 1});
		}
	}
	return longest;
}

} // namespace

Standstills::Standstills(const Context &context, ProcessFacts &facts, LoopRegistry &loops, inspect::Inspector &inspector)
    : context_(context), facts_(facts), loops_(loops), inspector_(inspector), gauges_(context.proc),
      reports_(context.options.stuck_after_ns != 0),
      round_pause_ns_(reports_ ? std::clamp(context.options.stuck_after_ns, again_ns, max_round_ns) : max_round_ns) {}

bool Standstills::tick() {
	const std::uint64_t now_ns = context_.now_ns();
	if (now_ns < next_due_ns_) {
		return false;
	}
	const bool round = now_ns >= next_round_ns_;
	const std::vector<LoopState> loops = loops_.current();
	std::set<LoopKey> there;
	std::set<std::uint32_t> seen; // processes: their first loop is the one that serves, unless it is known better
	next_due_ns_ = ~0ULL;
	for (const LoopState &state : loops) {
		there.insert(state.key);
		const bool serves = seen.insert(state.pid).second;
		Watched &watched = watched_[state.key];
		if (round || now_ns >= watched.due_ns) {
			examine(watched, state, serves, now_ns);
		}
		next_due_ns_ = std::min(next_due_ns_, watched.due_ns);
	}
	for (auto entry = watched_.begin(); entry != watched_.end();) {
		if (there.contains(entry->first)) {
			++entry;
			continue;
		}
		end(entry->second, Truncated::target_exit, now_ns);
		if (entry->second.before) {
			gauges_.forget(entry->second.before->state.pid, entry->second.before->state.tid);
		}
		entry = watched_.erase(entry);
	}
	facts_.connections.keep_only(seen);
	const std::uint64_t after = context_.now_ns();
	if (round) {
		next_round_ns_ =
		    next_on_grid(after, std::clamp((after - std::min(after, now_ns)) * thrift, round_pause_ns_, longest_pause_ns));
		facts_.connections.rest();
	}
	next_due_ns_ = std::min(next_due_ns_, next_round_ns_);
	return true;
}

// The tasks of this loop's thread: each minute, a second after that (`again`), and with everything that is known of them whenever
// somebody waits. nullopt: not wanted now, or there are none.
std::optional<TaskLoop> Standstills::read_tasks(Watched &watched, const LoopState &state, Care care, bool again,
                                                std::uint64_t now_ns) {
	const bool everything = care == Care::everything;
	if (!everything && !again && now_ns < watched.next_tasks_ns) {
		return std::nullopt;
	}
	auto *python = facts_.programs.interpreter(state.pid);
	const Greenlets greenlets = everything ? Greenlets::too : Greenlets::no;
	auto tasks = python != nullptr ? std::optional(facts_.tasks.snapshot(state.pid, *python, greenlets, care)) : std::nullopt;
	const std::uint64_t took = context_.now_ns() - std::min(context_.now_ns(), now_ns);
	watched.next_tasks_ns = now_ns + std::max(tasks_pause_ns, took * thrift);
	if (!tasks) {
		return std::nullopt;
	}
	auto loop = std::ranges::find(tasks->loops, state.tid, &TaskLoop::tid);
	if (loop == tasks->loops.end()) {
		return std::nullopt;
	}
	watched.ages.add(*loop, now_ns);
	return std::move(*loop);
}

analysis::LoopSituation Standstills::situation(Watched &watched, const Snapshot &now,
                                               std::optional<ConnectionsSnapshot> connections) {
	analysis::LoopSituation situation;
	situation.now_ns = now.time_ns;
	situation.connections = std::move(connections);
	if (!watched.before) {
		return situation;
	}
	const Snapshot &before = *watched.before;
	const bool slept_on = now.state.idle_since_ns != 0 && before.state.idle_since_ns == now.state.idle_since_ns &&
	                      before.state.changes == now.state.changes;
	situation.asleep_since_ns = slept_on ? now.state.idle_since_ns : 0;
	const auto idle_total = [](const Snapshot &at) {
		const std::uint64_t since = at.state.idle_since_ns;
		return at.state.idle_total_ns + (since != 0 && at.time_ns > since ? at.time_ns - since : 0);
	};
	const std::uint64_t time = now.time_ns - before.time_ns;
	const std::uint64_t idle = idle_total(now) - std::min(idle_total(now), idle_total(before));
	situation.idle_share_percent = time > 0 ? std::min<std::uint64_t>(100, idle * 100 / time) : 100;
	const std::uint64_t iterations = now.state.iterations - std::min(now.state.iterations, before.state.iterations);
	situation.iterations_per_s = time > 0 ? iterations * ns_per_s / time : 0;
	situation.tasks_before = before.tasks ? &*before.tasks : nullptr;
	situation.tasks = now.tasks ? &*now.tasks : nullptr;
	return situation;
}

void Standstills::examine(Watched &watched, const LoopState &state, bool serves, std::uint64_t now_ns) {
	watched.due_ns = ~0ULL;
	if (watched.before && now_ns - watched.before->time_ns < again_ns) {
		watched.due_ns = watched.before->time_ns + again_ns;
		return;
	}
	// A loop that is blocked has its stall; whoever waits is in that.
	const bool blocked =
	    state.iteration_start_ns != 0 && now_ns - std::min(now_ns, state.iteration_start_ns) >= context_.options.threshold_ns;
	std::optional<ConnectionsSnapshot> connections;
	if (serves && !state.provisional) {
		connections = facts_.connections.snapshot(state.pid, now_ns);
	}
	const std::uint64_t waited_ns = connections ? longest_wait(*connections) : 0;
	const bool waited_for = waited_ns != 0;
	const bool had_tasks = watched.before && watched.before->tasks;
	Snapshot now{now_ns, state, std::nullopt};
	if (!blocked) {
		const Care care = reports_ && (waited_for || watched.ongoing) ? Care::everything : Care::places;
		now.tasks = read_tasks(watched, state, care, had_tasks, now_ns);
	}
	const bool files = now_ns >= watched.next_gauges_ns;
	watched.next_gauges_ns = files ? now_ns + gauges_pause_ns : watched.next_gauges_ns;
	gauges_.take({state.pid, state.tid, now_ns, connections ? &*connections : nullptr, now.tasks ? &*now.tasks : nullptr, files});
	analysis::LoopSituation found = situation(watched, now, std::move(connections));
	if (reports_ && waited_ns >= context_.options.stuck_after_ns) {
		found.children_accept = facts_.connections.children_listen(state.pid);
		found.pool_stuck = pool_stuck(state);
	}
	if (reports_ && found.iterations_per_s > 0 && found.idle_share_percent <= 5) {
		found.always_ready = find_ready(watched, state, now_ns);
	} else {
		watched.ready_since_ns.clear();
	}
	const analysis::StandstillLimits limits{context_.options.stuck_after_ns, context_.options.threshold_ns};
	auto verdict = reports_ && watched.before && !blocked ? analysis::judge(found, limits) : std::nullopt;
	constexpr unsigned max_again = 2; // it may be other tasks that wait for each other each time
	const bool again = verdict && verdict->kind == StandstillKind::no_answer && !watched.ongoing && watched.again < max_again &&
	                   analysis::may_prove_worse(found);
	watched.again = again ? watched.again + 1 : 0;
	if (again) {
		verdict.reset();
	}
	if (verdict && verdict->kind == StandstillKind::task_deadlock) {
		watched.deadlock_since_ns = watched.deadlock_since_ns != 0 ? watched.deadlock_since_ns : watched.before->time_ns;
		verdict->since_ns = watched.deadlock_since_ns;
	} else {
		watched.deadlock_since_ns = 0;
	}
	const bool first_tasks = now.tasks && !had_tasks && !now.tasks->tasks.empty();
	if (verdict) {
		const std::uint64_t age = now_ns - std::min(now_ns, verdict->since_ns);
		const std::uint64_t due = watched.ongoing ? watched.ongoing->next_age_ns : context_.options.stuck_after_ns;
		if (age >= due) {
			report(watched, state, found, *verdict);
		} else if (watched.ongoing) {
			watched.ongoing->missed = 0;
		}
	} else if (watched.ongoing && ++watched.ongoing->missed >= 2) {
		end(watched, Truncated::no, now_ns);
	}
	// A snapshot of ten thousand tasks takes a while.
	constexpr std::uint64_t share = 20;
	const std::uint64_t pause_ns = std::max(again_ns, (context_.now_ns() - std::min(context_.now_ns(), now_ns)) * share);
	const bool queued = now.tasks && now.tasks->ready.value_or(0) > 0;
	if (verdict || watched.ongoing || queued || again || !watched.ready_since_ns.empty()) {
		watched.due_ns = now_ns + pause_ns;
	} else if (waited_for && waited_ns < context_.options.stuck_after_ns) {
		watched.due_ns = now_ns + std::max(pause_ns, context_.options.stuck_after_ns - waited_ns);
	} else if (had_tasks && !waited_for) {
		now.tasks.reset(); // nothing to compare with next time: they are read again in a minute
	}
	if (first_tasks) {
		// Two snapshots of tasks a second apart, once a minute: tasks that wait for each other need no customer. Of more
		// than a thousand tasks these see where each stands, and what the first thousand wait for.
		watched.due_ns = now_ns + pause_ns;
	}
	watched.before = std::move(now);
}

void Standstills::report(Watched &watched, const LoopState &state, const analysis::LoopSituation &situation,
                         const analysis::StandstillVerdict &verdict) {
	Standstill standstill = record(watched, state, situation, verdict);
	if (watched.ongoing && watched.ongoing->last.kind != standstill.kind) {
		end(watched, Truncated::no, situation.now_ns);
	}
	if (!watched.ongoing) {
		watched.ongoing = Ongoing{next_id_++, verdict.since_ns, context_.options.stuck_after_ns, 0, {}};
		reported_++;
	}
	Ongoing &ongoing = *watched.ongoing;
	ongoing.missed = 0;
	standstill.id = ongoing.id;
	standstill.ongoing = true;
	standstill.start_ns = ongoing.start_ns =
	    std::min(ongoing.start_ns, verdict.since_ns); // the oldest may have been answered since
	standstill.started_at = context_.clock.rfc3339(standstill.start_ns);
	standstill.duration_ns = situation.now_ns - std::min(situation.now_ns, standstill.start_ns);
	while (ongoing.next_age_ns <= standstill.duration_ns) {
		ongoing.next_age_ns *= 2;
	}
	standstill.summary = summary::summarize(standstill);
	ongoing.last = standstill;
	context_.write(standstill);
}

void Standstills::end(Watched &watched, Truncated how, std::uint64_t now_ns) {
	if (!watched.ongoing) {
		return;
	}
	Standstill last = std::move(watched.ongoing->last);
	watched.ongoing.reset();
	last.ongoing = false;
	const std::uint64_t age_ns = now_ns - std::min(now_ns, last.start_ns);
	analysis::grow_older(last, age_ns - std::min(age_ns, last.duration_ns)); // as things were when it was reported last
	last.duration_ns = std::max(last.duration_ns, age_ns);
	last.truncated = how;
	last.goes_on = how == Truncated::session_end;
	last.summary = summary::summarize(last);
	context_.write(last);
}

std::optional<std::uint64_t> Standstills::oldest_ns() const {
	const std::uint64_t now_ns = context_.now_ns();
	std::optional<std::uint64_t> oldest;
	for (const auto &[key, watched] : watched_) {
		if (watched.ongoing) {
			const std::uint64_t age_ns = now_ns - std::min(now_ns, watched.ongoing->start_ns);
			oldest = std::max(oldest.value_or(0), age_ns);
		}
	}
	return oldest;
}

std::vector<WaitedFor> Standstills::waited_for() {
	const std::uint64_t now_ns = context_.now_ns();
	constexpr std::size_t max_processes = 16;
	std::vector<WaitedFor> out;
	std::set<std::uint32_t> seen;
	for (const LoopState &state : reports_ ? loops_.current() : std::vector<LoopState>()) {
		if (state.idle_since_ns == 0 || out.size() == max_processes || !seen.insert(state.pid).second) {
			continue; // of a loop that runs: it is about to answer
		}
		const auto connections = facts_.connections.snapshot(state.pid, now_ns);
		auto waiting = connections ? std::optional(analysis::count_clients(*connections)) : std::nullopt;
		if (!waiting || waiting->unanswered + waiting->not_accepted == 0 ||
		    waiting->oldest_ns.value_or(0) < context_.options.threshold_ns) {
			continue;
		}
		const auto watched = watched_.find(state.key);
		const bool python = facts_.programs.interpreter(state.pid) != nullptr;
		const bool has_tasks = watched != watched_.end() && watched->second.before && watched->second.before->tasks;
		out.push_back({state.pid, facts_.programs.comm(state.pid), std::move(*waiting),
		               has_tasks ? std::optional<std::uint64_t>(watched->second.before->tasks->tasks.size()) : std::nullopt,
		               python, facts_.programs.name(state.pid).service});
	}
	return out;
}

std::vector<GaugesChange> Standstills::grown() {
	std::vector<GaugesChange> changes = gauges_.grown();
	for (GaugesChange &change : changes) {
		change.comm = facts_.programs.comm(change.last.pid);
		change.service = facts_.programs.name(change.last.pid).service;
	}
	return changes;
}

void Standstills::finish() {
	const std::uint64_t now_ns = context_.now_ns();
	for (auto &[key, watched] : watched_) {
		end(watched, Truncated::session_end, now_ns);
	}
	watched_.clear();
}

} // namespace loopsnoop::session

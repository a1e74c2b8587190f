// SPDX-License-Identifier: Apache-2.0
#include "analysis/standstill.h"

#include <algorithm>

#include "analysis/stuck_tasks.h"
#include "model/application.h"

namespace loopsnoop::analysis {

namespace {

constexpr std::size_t max_connections = 16;

bool is_asleep(const LoopSituation &situation) { return situation.asleep_since_ns != 0; }

std::uint64_t before(std::uint64_t now_ns, std::uint64_t ago_ns) { return now_ns - std::min(now_ns, ago_ns); }

// Callbacks that were queued when the loop slept already, and it has slept ever since: nothing will run them but another wake-up.
std::optional<StandstillVerdict> lost_wakeup(const LoopSituation &situation, const StandstillLimits &limits) {
	const TaskLoop *first = situation.tasks_before;
	const TaskLoop *second = situation.tasks;
	if (!is_asleep(situation) || first == nullptr || second == nullptr || first->address != second->address) {
		return std::nullopt;
	}
	const bool queued = first->ready.value_or(0) > 0 && second->ready.value_or(0) > 0;
	const auto overdue = [&](const TaskLoop &loop) {
		return loop.next_timer_in_ns && *loop.next_timer_in_ns < -static_cast<std::int64_t>(limits.threshold_ns);
	};
	if (!queued && !(overdue(*first) && overdue(*second))) {
		return std::nullopt;
	}
	std::uint64_t since = situation.asleep_since_ns;
	if (!queued) {
		since = std::max(since, before(situation.now_ns, static_cast<std::uint64_t>(-*second->next_timer_in_ns)));
	}
	StandstillVerdict verdict{StandstillKind::lost_wakeup, true, since, {}, {}};
	for (const Task &task : second->tasks) {
		if (task.state == TaskState::ready) {
			verdict.stuck.insert(task.id);
		}
	}
	return verdict;
}

std::optional<StandstillVerdict> task_deadlock(const LoopSituation &situation) {
	if (situation.tasks_before == nullptr || situation.tasks == nullptr) {
		return std::nullopt;
	}
	const TaskCircle circle = find_circle(*situation.tasks);
	const std::set<TaskId> members(circle.tasks.begin(), circle.tasks.end());
	if (circle.tasks.empty()) {
		return std::nullopt;
	}
	// In both snapshots: the same ones.
	const TaskCircle earlier = find_circle(*situation.tasks_before);
	if (members != std::set<TaskId>(earlier.tasks.begin(), earlier.tasks.end())) {
		return std::nullopt;
	}
	return StandstillVerdict{StandstillKind::task_deadlock, is_asleep(situation) && !circle.inferred, 0, members, circle.tasks};
}

std::optional<StandstillVerdict> not_accepted(const LoopSituation &situation, const StandstillLimits &limits) {
	if (!is_asleep(situation) || !situation.connections || situation.children_accept) {
		return std::nullopt;
	}
	std::uint64_t oldest = 0;
	for (const WaitingClient &client : situation.connections->waiting) {
		if (!client.accepted) {
			oldest = std::max(oldest, client.waited_ns);
		}
	}
	const std::uint64_t asleep = situation.now_ns - std::min(situation.now_ns, situation.asleep_since_ns);
	oldest = std::min(oldest, asleep); // while it runs, it may be about to accept
	if (oldest < limits.stuck_after_ns) {
		return std::nullopt;
	}
	return StandstillVerdict{StandstillKind::not_accepted, true, before(situation.now_ns, oldest), {}, {}};
}

// Customers who have waited long enough, accepted, oldest first.
struct Patience {
	std::uint64_t count = 0;
	std::uint64_t asked = 0; // of those, whose question is no guess
	std::uint64_t fresh = 0; // who never got a byte
	std::uint64_t oldest_ns = 0;
};
Patience out_of_patience(const ConnectionsSnapshot &connections, std::uint64_t stuck_after_ns) {
	Patience patience;
	for (const WaitingClient &client : connections.waiting) {
		if (!client.accepted || client.one_way || client.waited_ns < stuck_after_ns) {
			continue;
		}
		patience.count++;
		patience.asked += client.asked != WaitingClient::Asked::last ? 1 : 0;
		patience.fresh += client.asked == WaitingClient::Asked::first ? 1 : 0;
		if (client.asked != WaitingClient::Asked::last) {
			patience.oldest_ns = std::max(patience.oldest_ns, client.waited_ns);
		}
	}
	return patience;
}

// Greenlets that sleep below a library's code that serves: of an event stream, or of an answer that takes its time. A greenlet of
// the application's own sleeps for nobody.
std::uint64_t sleeping_handlers(const TaskLoop *loop) {
	return loop == nullptr || loop->framework != "gevent"
	           ? 0
	           : static_cast<std::uint64_t>(std::ranges::count_if(loop->tasks, [](const Task &task) {
		             return task.waits_for && task.waits_for->kind == WaitsForKind::sleep && !task.stack.empty() &&
		                    !is_application_frame(task.stack.back());
	             }));
}

std::optional<StandstillVerdict> no_answer(const LoopSituation &situation, const StandstillLimits &limits) {
	if (!situation.connections) {
		return std::nullopt;
	}
	const ConnectionsSnapshot &connections = *situation.connections;
	const Patience waiting = out_of_patience(connections, limits.stuck_after_ns);
	if (waiting.asked == 0) {
		return std::nullopt;
	}
	const bool nobody_answered = connections.answered_ago_ns.value_or(~0ULL) >= waiting.oldest_ns;
	StandstillVerdict verdict{StandstillKind::no_answer, false, before(situation.now_ns, waiting.oldest_ns), {}, {}};
	// Of a greenlet that waits for something compiled nobody knows what that is.
	const bool weighable = situation.tasks != nullptr && situation.tasks->framework != "gevent";
	if (weighable && !situation.tasks->tasks.empty()) {
		if (situation.tasks_before == nullptr) {
			return std::nullopt; // what they wait for says more than the sockets do, a moment later
		}
		const TaskEvidence evidence = weigh_tasks(*situation.tasks_before, *situation.tasks, connections, limits.stuck_after_ns);
		verdict.stuck = evidence.stuck;
		const bool may_be_served = evidence.patient >= waiting.asked;
		if (!evidence.sure.empty() || (!evidence.stuck.empty() && (nobody_answered || !may_be_served)) ||
		    (nobody_answered && !may_be_served)) {
			return verdict;
		}
		return std::nullopt;
	}
	if (!nobody_answered) {
		return std::nullopt;
	}
	if (situation.tasks == nullptr && situation.tasks_before != nullptr) {
		return std::nullopt; // it has tasks, which could not be read at this moment: they say more, a moment later
	}
	// By the sockets alone.
	const bool upstream_silent = std::ranges::any_of(
	    connections.silent, [&](const SilentUpstream &upstream) { return upstream.waited_ns >= limits.stuck_after_ns; });
	if (!upstream_silent && sleeping_handlers(situation.tasks) >= waiting.asked) {
		return std::nullopt;
	}
	constexpr std::uint64_t several = 2;
	if (waiting.fresh == 0 && waiting.asked < several && !upstream_silent && !situation.pool_stuck) {
		return std::nullopt; // one message that was not answered, on one connection: a WebSocket's, as likely as not
	}
	return verdict;
}

std::optional<StandstillVerdict> spin(const LoopSituation &situation, const StandstillLimits &limits) {
	constexpr std::uint64_t least_rate = 1000;
	constexpr std::uint64_t max_idle_percent = 5;
	if (!situation.always_ready || situation.iterations_per_s < least_rate || situation.idle_share_percent > max_idle_percent ||
	    before(situation.now_ns, situation.always_ready->since_ns) < limits.stuck_after_ns) {
		return std::nullopt;
	}
	return StandstillVerdict{StandstillKind::spin, false, situation.always_ready->since_ns, {}, {}};
}

} // namespace

bool may_prove_worse(const LoopSituation &situation) {
	return situation.tasks != nullptr && (situation.tasks->ready.value_or(0) > 0 || !find_circle(*situation.tasks).tasks.empty());
}

std::optional<StandstillVerdict> judge(const LoopSituation &situation, const StandstillLimits &limits) {
	if (auto verdict = lost_wakeup(situation, limits)) {
		return verdict;
	}
	if (auto verdict = task_deadlock(situation)) {
		return verdict;
	}
	if (auto verdict = not_accepted(situation, limits)) {
		return verdict;
	}
	if (auto verdict = spin(situation, limits)) {
		return verdict;
	}
	return no_answer(situation, limits);
}

void grow_older(Standstill &standstill, std::uint64_t ns) {
	const auto add = [&](std::optional<std::uint64_t> &age) {
		if (age) {
			*age += ns;
		}
	};
	add(standstill.clients.oldest_ns);
	for (WaitingClient &client : standstill.clients.connections) {
		client.waited_ns += ns;
	}
	for (SilentUpstream &upstream : standstill.upstream) {
		upstream.waited_ns += ns;
	}
	for (TaskGroup &group : standstill.tasks) {
		add(group.waited_ns);
		if (group.waits_for && group.waits_for->ends_in_ns) {
			*group.waits_for->ends_in_ns -= static_cast<std::int64_t>(ns);
		}
	}
	if (standstill.ready) {
		add(standstill.ready->timer_overdue_ns);
	}
}

Clients count_clients(const ConnectionsSnapshot &connections) {
	Clients clients;
	clients.gave_up = connections.gave_up;
	for (const WaitingClient &client : connections.waiting) {
		if (client.one_way || client.asked == WaitingClient::Asked::last) {
			continue;
		}
		if (client.accepted) {
			clients.unanswered++;
			clients.unread += client.unread_bytes > 0 ? 1 : 0;
		}
		clients.oldest_ns = std::max(clients.oldest_ns.value_or(0), client.waited_ns);
		if (clients.connections.size() < max_connections) {
			clients.connections.push_back(client);
		}
	}
	for (const Listener &listener : connections.listening) {
		clients.not_accepted += listener.waiting.value_or(0);
	}
	return clients;
}

} // namespace loopsnoop::analysis

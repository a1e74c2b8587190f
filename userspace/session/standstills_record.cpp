// SPDX-License-Identifier: Apache-2.0
// What a standstill's record holds beyond the verdict: who waits, at what, and what all threads do meanwhile.
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "analysis/culprit.h"
#include "inspect/ready_descriptors.h"
#include "inspect/thread_views.h"
#include "process/resource_of.h"
#include "process/socket_table.h"
#include "session/standstills.h"
#include "summary/standstill_summary.h"

namespace loopsnoop::session {

namespace {

constexpr std::size_t max_upstreams = 16;
constexpr std::size_t max_groups = 32;

// The connection as one of its descriptors would be.
DescriptorSnapshot descriptor_of(const SilentUpstream &upstream) {
	DescriptorSnapshot snapshot;
	snapshot.kind = DescriptorKind::socket;
	snapshot.family = upstream.remote.starts_with('[') ? AF_INET6 : AF_INET;
	snapshot.type = SOCK_STREAM;
	snapshot.state = upstream.connecting ? process::state_syn_sent : process::state_established;
	snapshot.local = upstream.local;
	snapshot.remote = upstream.remote;
	return snapshot;
}

} // namespace

// The descriptor of the loop's own epoll set that has been reported as ready at each poll call, for longest.
std::optional<analysis::ReadyDescriptor> Standstills::find_ready(Watched &watched, const LoopState &state, std::uint64_t now_ns) {
	constexpr std::size_t max_fds = 1024;
	const Loop *loop = loops_.find(state.key);
	const auto epoll_fd = loop != nullptr ? loop->poll_fd : std::nullopt;
	std::map<int, std::uint64_t> since;
	std::optional<analysis::ReadyDescriptor> longest;
	if (epoll_fd) {
		std::vector<int> fds = inspect::level_triggered(context_.proc, state.pid, *epoll_fd);
		fds.resize(std::min(fds.size(), max_fds));
		for (const int fd : fds) {
			const auto descriptor = context_.proc.descriptor(state.pid, fd);
			if (!descriptor || !inspect::seems_ready(facts_.resolver, state.pid, *descriptor)) {
				continue;
			}
			const auto known = watched.ready_since_ns.find(fd);
			const std::uint64_t first = known != watched.ready_since_ns.end() ? known->second : now_ns;
			since.emplace(fd, first);
			if (!longest || first < longest->since_ns) {
				longest = analysis::ReadyDescriptor{first, fd, process::to_resource(*descriptor)};
			}
		}
	}
	watched.ready_since_ns = std::move(since);
	return longest;
}

bool Standstills::pool_stuck(const LoopState &state) {
	if (facts_.programs.runtime(state.pid).kind != RuntimeKind::node) {
		return false;
	}
	Standstill views;
	views.pid = state.pid;
	views.tid = state.tid;
	add_threads(views);
	return views.threads && summary::find_stuck_pool(*views.threads);
}

std::optional<SourceFrame> Standstills::callback(const Watched &watched, const LoopState &state,
                                                 const analysis::LoopSituation &situation) {
	if (watched.ongoing && watched.ongoing->last.kind == StandstillKind::spin && watched.ongoing->last.culprit) {
		return watched.ongoing->last.culprit;
	}
	auto *python = facts_.programs.interpreter(state.pid);
	if (python == nullptr) {
		return std::nullopt;
	}
	if (situation.always_ready && situation.tasks != nullptr) {
		if (auto known = inspect::TaskInspector::called_for(*python, situation.tasks->address, situation.always_ready->fd)) {
			return known;
		}
	}
	constexpr std::size_t max_moments = 100;
	constexpr std::uint64_t budget_ns = 100'000'000;
	return analysis::callback_of(inspector_.moments(state.pid, state.tid, max_moments, budget_ns));
}

void Standstills::add_threads(Standstill &standstill) {
	const std::vector<ThreadSnapshot> snapshots = inspector_.snapshot(standstill.pid);
	std::vector<ThreadView> views = inspector_.views(snapshots, standstill.tid);
	(void)inspect::complete_views(inspector_, facts_.programs, standstill.pid, snapshots, views, standstill.tid);
	standstill.threads = std::move(views);
}

Standstill Standstills::record(const Watched &watched, const LoopState &state, const analysis::LoopSituation &situation,
                               const analysis::StandstillVerdict &verdict) {
	Standstill standstill;
	standstill.pid = state.pid;
	standstill.tid = state.tid;
	standstill.comm = facts_.programs.comm(state.pid);
	standstill.name = facts_.programs.name(state.pid);
	standstill.thread = facts_.programs.thread_name(state.pid, state.tid, context_.proc.thread_name(state.pid, state.tid));
	standstill.kind = verdict.kind;
	standstill.certain = verdict.certain;
	standstill.deadlock = verdict.deadlock;
	if (situation.connections) {
		standstill.clients = analysis::count_clients(*situation.connections);
		for (const SilentUpstream &upstream : situation.connections->silent) {
			if (standstill.upstream.size() < max_upstreams && upstream.waited_ns >= context_.options.threshold_ns) {
				standstill.upstream.push_back(upstream);
			}
		}
		constexpr std::size_t max_peers = 4; // each search may take a while
		for (std::size_t i = 0; i < std::min(standstill.upstream.size(), max_peers); i++) {
			SilentUpstream &upstream = standstill.upstream[i];
			upstream.peer = facts_.resolver.peer(state.pid, descriptor_of(upstream));
		}
	}
	if (situation.tasks != nullptr) {
		standstill.tasks = analysis::group_tasks(*situation.tasks, watched.ages, situation.now_ns, verdict.stuck, max_groups);
		const bool overdue = situation.tasks->next_timer_in_ns.value_or(0) < 0;
		if (verdict.kind == StandstillKind::lost_wakeup) {
			standstill.ready = ReadyQueue{situation.tasks->ready.value_or(0), situation.tasks->callbacks, std::nullopt};
			if (overdue) {
				standstill.ready->timer_overdue_ns = static_cast<std::uint64_t>(-*situation.tasks->next_timer_in_ns);
			}
		}
	}
	if (verdict.kind == StandstillKind::spin) {
		standstill.spin =
		    Spin{situation.iterations_per_s, situation.always_ready ? situation.always_ready->resource : std::nullopt};
	}
	add_threads(standstill);
	std::erase_if(*standstill.threads, [&](const ThreadView &view) { return view.tid == state.tid; });
	// Where a task waits says nothing of what a loop does that goes round.
	standstill.culprit =
	    verdict.kind == StandstillKind::spin ? callback(watched, state, situation) : summary::culprit_of(standstill);
	standstill.advice = summary::advice_for(standstill);
	return standstill;
}

} // namespace loopsnoop::session

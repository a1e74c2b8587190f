// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "model/connections.h"
#include "model/standstill.h"
#include "model/tasks.h"

namespace loopsnoop::analysis {

struct StandstillLimits {
	std::uint64_t stuck_after_ns = 0;
	std::uint64_t threshold_ns = 0;
};

// A descriptor of the loop that is ready all the time: reported by the kernel whenever it is asked, and nothing is done about it.
struct ReadyDescriptor {
	std::uint64_t since_ns = 0; // first seen so
	int fd = -1;
	std::optional<Resource> resource;
};

// What is known of one loop, from two snapshots, the first at least a second before the other.
struct LoopSituation {
	std::uint64_t now_ns = 0; // of the second
	// In its own poll call in both, and it has not run in between (same count of context switches): since when. 0: not so.
	std::uint64_t asleep_since_ns = 0;
	std::uint64_t idle_share_percent = 100; // of the time in between, in the poll call
	std::uint64_t iterations_per_s = 0;
	std::optional<ConnectionsSnapshot> connections; // the second
	bool children_accept = false;                   // others have its listening sockets, too, and accept from them
	const TaskLoop *tasks_before = nullptr;         // the first; nullptr: not read, or the runtime has none
	const TaskLoop *tasks = nullptr;
	bool pool_stuck = false; // all worker threads of the runtime's pool sleep in one and the same blocking call
	std::optional<ReadyDescriptor> always_ready;
};

// What a loop stands still for. Times are CLOCK_MONOTONIC.
struct StandstillVerdict {
	StandstillKind kind = StandstillKind::no_answer;
	bool certain = false;
	std::uint64_t since_ns = 0;
	std::set<TaskId> stuck; // tasks that have to do with it
	std::vector<TaskId> deadlock;
};

// nullopt: nobody is known to wait in vain. That is the answer for idle servers with keep-alive, WebSocket, server-sent event and
// long-poll connections, for workers that wait for jobs, and for clients of slow servers. Pure.
[[nodiscard]] std::optional<StandstillVerdict> judge(const LoopSituation &situation, const StandstillLimits &limits);

// Of an answer that does not come: callbacks are queued, or tasks wait for each other, but only in the second of the two
// snapshots. A third one, a moment later, may prove what is worse.
[[nodiscard]] bool may_prove_worse(const LoopSituation &situation);

// Everybody in the record has waited so much longer since it was made.
void grow_older(Standstill &standstill, std::uint64_t ns);

// Those who may be owed an answer by what went over their connections; not those who send without ever getting one.
[[nodiscard]] Clients count_clients(const ConnectionsSnapshot &connections);

} // namespace loopsnoop::analysis

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "model/connections.h"
#include "model/dump.h"
#include "model/standstill.h"
#include "model/tasks.h"

namespace loopsnoop::analysis {

// What tasks that stand where they stood in an earlier snapshot say about customers who wait.
struct TaskEvidence {
	std::set<TaskId> stuck; // wait, without a time-out, for what a customer cannot give: a lock, a pool, a silent upstream …
	std::set<TaskId> sure;  // of these, for a lock, a semaphore or a pool: nobody waits so for a customer's next message
	// May be where a customer is served for as long as he wishes: in a timer, an event, a queue, or in reading from him. As many
	// customers as there are of these need not be waiting in vain.
	std::uint64_t patient = 0;
};
[[nodiscard]] TaskEvidence weigh_tasks(const TaskLoop &before, const TaskLoop &now, const ConnectionsSnapshot &connections,
                                       std::uint64_t stuck_after_ns);

// Tasks that wait for each other in a circle, by what they await and by who (as is inferred) holds it; none of them has a
// time-out. Empty: there is none. `inferred`: a holder is part of it.
struct TaskCircle {
	std::vector<TaskId> tasks;
	bool inferred = false;
};
[[nodiscard]] TaskCircle find_circle(const TaskLoop &loop);

// Since when each task has stood where it stands, as far as it was watched.
class TaskAges {
public:
	void add(const TaskLoop &loop, std::uint64_t time_ns);
	[[nodiscard]] std::uint64_t since_ns(const Task &task) const; // 0: not seen yet

private:
	struct Seen {
		std::string place;
		std::uint64_t since_ns = 0;
	};
	std::map<TaskId, Seen> seen_;
};

// Most tasks first. Groups that `first` names go before all others, and among these a task that waits for another one goes after
// what that one waits for. `max_groups` at most.
[[nodiscard]] std::vector<TaskGroup> group_tasks(const TaskLoop &loop, const TaskAges &ages, std::uint64_t now_ns,
                                                 const std::set<TaskId> &first, std::size_t max_groups);
[[nodiscard]] LoopInShort in_short(const TaskLoop &loop);

} // namespace loopsnoop::analysis

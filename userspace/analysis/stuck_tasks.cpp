// SPDX-License-Identifier: Apache-2.0
#include "analysis/stuck_tasks.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>

#include "model/application.h"

namespace loopsnoop::analysis {

namespace {

// Where a task stands and what for; the same in two snapshots: it has hardly moved. Its address alone may be another task's.
std::string place_of(const Task &task) {
	const SourceFrame *inner = task.stack.empty() ? nullptr : &task.stack.front();
	return fmt::format("{}\n{}\n{}\n{}", task.name, task.waits_for ? task.waits_for->address : 0,
	                   inner != nullptr ? inner->file + ":" + std::to_string(inner->line.value_or(0)) : "",
	                   task.culprit ? task.culprit->file + ":" + std::to_string(task.culprit->line.value_or(0)) : "");
}

using ById = std::unordered_map<TaskId, const Task *>;

ById by_id(const TaskLoop &loop) {
	ById tasks;
	for (const Task &task : loop.tasks) {
		tasks.emplace(task.id, &task);
	}
	return tasks;
}

bool is_of_asyncio(const SourceFrame &frame) { return frame.file.find("/asyncio/") != std::string::npos; }

// The application's own code awaits the bare future itself; a library that does (a server that reads the next request, say) most
// likely waits for its customer.
bool awaits_future_itself(const Task &task) {
	for (const SourceFrame &frame : task.stack) {
		if (!is_of_asyncio(frame)) {
			return is_application_frame(frame) || is_typed_in_frame(frame);
		}
	}
	return false;
}

// The program's first task, and one that only keeps a server open.
bool serves_nobody(const Task &task) {
	return task.name == "Task-1" || (task.waits_for && task.waits_for->type == "asyncio.Server");
}

enum class Weight : std::uint8_t { none, patient, stuck, sure };

class Weighing {
public:
	Weighing(const TaskLoop &now, const ConnectionsSnapshot &connections, std::uint64_t stuck_after_ns) : tasks_(by_id(now)) {
		for (const SilentUpstream &upstream : connections.silent) {
			if (upstream.waited_ns >= stuck_after_ns) {
				silent_.insert(upstream.remote);
			}
		}
		for (const Task &task : now.tasks) {
			if (task.waits_for && task.waits_for->kind == WaitsForKind::task && task.waits_for->ends_in_ns) {
				timed_.insert(task.waits_for->tasks.begin(), task.waits_for->tasks.end());
			}
		}
	}

	Weight weigh(const Task &task, unsigned depth = 0) const {
		constexpr unsigned max_depth = 64;
		if (!task.waits_for || task.state != TaskState::pending || depth > max_depth) {
			return Weight::none;
		}
		const WaitsFor &what = *task.waits_for;
		// Nobody waits for a lock or a pool on a customer's behalf, however soon he is to give up. What else has a time-out goes
		// on by itself.
		const bool held =
		    what.kind == WaitsForKind::lock || what.kind == WaitsForKind::semaphore || what.kind == WaitsForKind::pool;
		if ((what.ends_in_ns || timed_.contains(task.id)) && !held) {
			return Weight::patient;
		}
		switch (what.kind) {
		case WaitsForKind::lock:
		case WaitsForKind::semaphore:
		case WaitsForKind::pool: return Weight::sure;
		case WaitsForKind::executor:
		case WaitsForKind::queue_put: return Weight::stuck;
		case WaitsForKind::future: return awaits_future_itself(task) ? Weight::stuck : Weight::patient;
		case WaitsForKind::socket: return waits_for_silent(what) ? Weight::stuck : Weight::patient;
		case WaitsForKind::task:
		case WaitsForKind::tasks: return weigh_awaited(what, depth);
		case WaitsForKind::ready: return Weight::none;
		case WaitsForKind::process: // a child may work for as long as it takes
		case WaitsForKind::event:
		case WaitsForKind::condition:
		case WaitsForKind::queue_get:
		case WaitsForKind::sleep: break;
		}
		return Weight::patient;
	}

private:
	bool waits_for_silent(const WaitsFor &what) const {
		const auto *socket = what.resource ? std::get_if<SocketResource>(&what.resource->is) : nullptr;
		return socket != nullptr && socket->remote && silent_.contains(*socket->remote);
	}

	// As stuck as the least stuck of those that it awaits: one that goes on may end the wait.
	Weight weigh_awaited(const WaitsFor &what, unsigned depth) const {
		std::optional<Weight> least;
		for (const TaskId id : what.tasks) {
			if (const auto task = tasks_.find(id); task != tasks_.end()) {
				const Weight weight = weigh(*task->second, depth + 1);
				least = std::min(least.value_or(weight), weight);
			}
		}
		return least.value_or(Weight::none);
	}

	ById tasks_;
	std::set<std::string> silent_;
	std::set<TaskId> timed_; // whoever awaits them does so with a time-out, and cancels them then
};

} // namespace

TaskEvidence weigh_tasks(const TaskLoop &before, const TaskLoop &now, const ConnectionsSnapshot &connections,
                         std::uint64_t stuck_after_ns) {
	const Weighing weighing(now, connections, stuck_after_ns);
	const ById earlier = by_id(before);
	const std::set<TaskId> parts = parts_of_pool_waits(now);
	TaskEvidence evidence;
	for (const Task &task : now.tasks) {
		if (parts.contains(task.id)) {
			continue;
		}
		const Weight weight = weighing.weigh(task);
		if (weight == Weight::patient) {
			evidence.patient += serves_nobody(task) ? 0 : 1;
			continue;
		}
		const auto known = earlier.find(task.id);
		const bool still = known != earlier.end() && !task.changed && place_of(*known->second) == place_of(task);
		if (weight == Weight::none || !still) {
			continue;
		}
		evidence.stuck.insert(task.id);
		if (weight == Weight::sure) {
			evidence.sure.insert(task.id);
		}
	}
	return evidence;
}

TaskCircle find_circle(const TaskLoop &loop) {
	const ById tasks = by_id(loop);
	// Each has one way on: whom it awaits alone, or the only one who has what it waits for.
	const auto next = [&](TaskId id) -> std::optional<std::pair<TaskId, bool>> {
		const auto task = tasks.find(id);
		if (task == tasks.end() || task->second->changed || !task->second->waits_for || task->second->waits_for->ends_in_ns) {
			return std::nullopt;
		}
		const WaitsFor &what = *task->second->waits_for;
		if (what.kind == WaitsForKind::task && what.tasks.size() == 1) {
			return std::pair(what.tasks.front(), false);
		}
		const bool is_lock = what.kind == WaitsForKind::lock;
		if (is_lock && what.holders.size() == 1) {
			return std::pair(what.holders.front().task, true);
		}
		return std::nullopt;
	};
	std::set<TaskId> done;
	for (const Task &start : loop.tasks) {
		std::vector<TaskId> way;
		std::vector<bool> inferred;
		std::optional<TaskId> at = start.id;
		while (at && !done.contains(*at)) {
			done.insert(*at);
			way.push_back(*at);
			const auto step = next(*at);
			inferred.push_back(step && step->second);
			at = step ? std::optional(step->first) : std::nullopt;
			if (!at) {
				break;
			}
			if (const auto first = std::ranges::find(way, *at); first != way.end()) {
				const auto from = first - way.begin();
				return {{first, way.end()}, std::any_of(inferred.begin() + from, inferred.end(), std::identity())};
			}
		}
	}
	return {};
}

void TaskAges::add(const TaskLoop &loop, std::uint64_t time_ns) {
	std::map<TaskId, Seen> seen;
	for (const Task &task : loop.tasks) {
		std::string place = place_of(task);
		const auto known = seen_.find(task.id);
		const bool same = known != seen_.end() && known->second.place == place;
		seen.emplace(task.id, Seen{std::move(place), same ? known->second.since_ns : time_ns});
	}
	seen_ = std::move(seen);
}

std::uint64_t TaskAges::since_ns(const Task &task) const {
	const auto known = seen_.find(task.id);
	return known != seen_.end() && known->second.place == place_of(task) ? known->second.since_ns : 0;
}

std::vector<TaskGroup> group_tasks(const TaskLoop &loop, const TaskAges &ages, std::uint64_t now_ns,
                                   const std::set<TaskId> &first, std::size_t max_groups) {
	constexpr std::size_t max_names = 8;
	struct Entry {
		TaskGroup group;
		bool first = false;
	};
	std::map<std::tuple<std::string, WaitsForKind, std::uint64_t>, Entry> groups;
	const std::set<TaskId> parts = parts_of_pool_waits(loop);
	for (const Task &task : loop.tasks) {
		if (task.state == TaskState::running || parts.contains(task.id)) {
			continue;
		}
		const auto line = [](const std::optional<SourceFrame> &frame) {
			return frame ? fmt::format("{}:{}:{}", frame->file, frame->line.value_or(0), frame->function) : std::string();
		};
		const std::optional<SourceFrame> inner = task.stack.empty() ? std::nullopt : std::optional(task.stack.front());
		// Tasks that await a task or a future of their own each are together all the same, where they stand at one line.
		const WaitsForKind kind = task.waits_for ? task.waits_for->kind : WaitsForKind::ready;
		const bool own = kind == WaitsForKind::future || kind == WaitsForKind::task || kind == WaitsForKind::tasks ||
		                 kind == WaitsForKind::sleep || kind == WaitsForKind::socket || kind == WaitsForKind::executor ||
		                 kind == WaitsForKind::pool;
		const std::uint64_t address = task.waits_for && !own ? task.waits_for->address : 0;
		Entry &entry = groups[{line(task.culprit) + line(inner), kind, address}];
		TaskGroup &group = entry.group;
		if (group.count++ == 0) {
			group.waits_for = task.waits_for;
			group.stack = task.stack;
			group.culprit = task.culprit;
		}
		if (group.names.size() < max_names) {
			group.names.push_back(task.name);
		}
		if (const std::uint64_t since = ages.since_ns(task); since != 0 && since <= now_ns) {
			group.waited_ns = std::max(group.waited_ns.value_or(0), now_ns - since);
		}
		entry.first = entry.first || first.contains(task.id);
	}
	std::vector<Entry> sorted;
	for (auto &[key, entry] : groups) {
		sorted.push_back(std::move(entry));
	}
	// Whoever waits for other tasks is held up by what those wait for: a server's task for each connection, say.
	const auto rank = [](const Entry &entry) {
		const bool waits_for_tasks = entry.group.waits_for && (entry.group.waits_for->kind == WaitsForKind::task ||
		                                                       entry.group.waits_for->kind == WaitsForKind::tasks);
		return std::tuple(entry.first, !waits_for_tasks, entry.group.count);
	};
	std::ranges::stable_sort(sorted, [&](const Entry &a, const Entry &b) { return rank(a) > rank(b); });
	std::vector<TaskGroup> out;
	for (Entry &entry : sorted) {
		if (out.size() < max_groups) {
			out.push_back(std::move(entry.group));
		}
	}
	return out;
}

LoopInShort in_short(const TaskLoop &loop) {
	constexpr std::size_t max_groups = 32;
	LoopInShort out;
	out.tid = loop.tid;
	out.framework = loop.framework;
	out.type = loop.type;
	out.ready = loop.ready;
	out.tasks = loop.tasks.size();
	out.groups = group_tasks(loop, {}, 0, {}, max_groups);
	const auto runs = std::ranges::find(loop.tasks, TaskState::running, &Task::state);
	if (runs != loop.tasks.end()) {
		out.running = runs->name;
	}
	return out;
}

} // namespace loopsnoop::analysis

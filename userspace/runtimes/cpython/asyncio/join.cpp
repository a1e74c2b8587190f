// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/asyncio/join.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "runtimes/cpython/asyncio/waits.h"

namespace loopsnoop::runtimes::cpython::asyncio {

namespace {

// In the order of its chain's links.
std::vector<SourceFrame> frames_of(const Task &task) { return {task.stack.rbegin(), task.stack.rend()}; }

using Places = std::unordered_map<TaskId, std::size_t>; // of tasks in their loop

bool waits_for_pool(const Task &task) { return task.waits_for && task.waits_for->kind == WaitsForKind::pool; }

// Up to 3.11 wait_for() makes a task of what it waits for: the call of a pool's goes on in there.
void join_pool_waits(TaskLoop &loop, const std::vector<const RawTask *> &raw, WaitReader &waits, const Places &places) {
	for (std::size_t i = 0; i < raw.size(); ++i) {
		Task &task = loop.tasks[i];
		if (!task.waits_for || task.waits_for->kind != WaitsForKind::task || task.waits_for->tasks.size() != 1) {
			continue;
		}
		const auto inner = places.find(task.waits_for->tasks.front());
		if (inner == places.end() || !loop.tasks[inner->second].waits_for) {
			continue;
		}
		if (auto pool = waits.pool_around(*raw[i], frames_of(task), *loop.tasks[inner->second].waits_for)) {
			pool->tasks = task.waits_for->tasks;
			pool->ends_in_ns = task.waits_for->ends_in_ns;
			task.waits_for = std::move(pool);
		}
	}
}

void add_holders(ObjectReader &reader, TaskLoop &loop, const std::vector<const RawTask *> &raw) {
	const auto is_held = [](const Task &task) {
		const auto kind = task.waits_for ? task.waits_for->kind : WaitsForKind::future;
		return kind == WaitsForKind::lock || kind == WaitsForKind::semaphore || kind == WaitsForKind::pool;
	};
	using What = std::pair<std::uint64_t, std::string>;
	std::map<What, std::vector<TaskHolder>> holders;
	constexpr std::size_t max_kinds = 64;
	for (const Task &task : loop.tasks) {
		if (is_held(task) && holders.size() < max_kinds) {
			holders.try_emplace(What{task.waits_for->address, task.waits_for->type});
		}
	}
	if (holders.empty()) {
		return;
	}
	std::vector<std::vector<std::uint64_t>> inside(raw.size());
	std::vector<std::vector<std::uint64_t>> used(raw.size());
	const std::set<TaskId> parts = parts_of_pool_waits(loop);
	const bool any_pool = std::ranges::any_of(loop.tasks, waits_for_pool);
	for (std::size_t i = 0; i < raw.size(); ++i) {
		inside[i] = with_objects(reader, raw[i]->chain);
		if (any_pool && !waits_for_pool(loop.tasks[i]) && !parts.contains(loop.tasks[i].id)) {
			used[i] = library_objects(reader, raw[i]->chain, frames_of(loop.tasks[i]));
		}
	}
	for (auto &[what, found] : holders) {
		WaitsFor wait;
		const auto sample = std::ranges::find_if(loop.tasks, [&](const Task &task) {
			return is_held(task) && What{task.waits_for->address, task.waits_for->type} == what;
		});
		wait.kind = sample->waits_for->kind;
		wait.address = what.first;
		wait.type = what.second;
		for (std::size_t i = 0; i < raw.size() && found.size() < max_holders; ++i) {
			const Task &task = loop.tasks[i];
			// Who waits for it, or gave it up to wait for a notification, is inside the block, too, and has it not.
			const bool waits_itself = task.waits_for && task.waits_for->kind != WaitsForKind::ready &&
			                          (is_held(task) ? What{task.waits_for->address, task.waits_for->type} == what
			                                         : task.waits_for->kind == WaitsForKind::condition &&
			                                               reader.attribute(task.waits_for->address, "_lock") == what.first);
			const bool has = !waits_itself && std::ranges::any_of(inside[i], [&](std::uint64_t object) {
				return stands_for(reader, object, wait);
			});
			const bool uses =
			    !waits_itself && !has && wait.kind == WaitsForKind::pool &&
			    std::ranges::any_of(used[i], [&](std::uint64_t object) { return uses_pool(reader, object, wait.address); });
			if (has || uses) {
				found.push_back({task.id, task.name, task.culprit});
			}
		}
	}
	for (Task &task : loop.tasks) {
		if (is_held(task)) {
			if (const auto known = holders.find(What{task.waits_for->address, task.waits_for->type}); known != holders.end()) {
				task.waits_for->holders = known->second;
			}
		}
	}
}

} // namespace

void join_tasks(ObjectReader &reader, WaitReader &waits, TaskLoop &loop, const std::vector<RawTask> &raw) {
	std::vector<const RawTask *> its;
	for (const RawTask &task : raw) {
		if (task.loop == loop.address) {
			its.push_back(&task);
		}
	}
	Places places;
	for (std::size_t i = 0; i < loop.tasks.size(); ++i) {
		places.emplace(loop.tasks[i].id, i);
	}
	for (const ReadyCallback &callback : loop.callbacks) {
		if (const auto place = places.find(callback.task.value_or(0)); place != places.end()) {
			Task &task = loop.tasks[place->second];
			task.state = task.state == TaskState::pending ? TaskState::ready : task.state;
		}
	}
	for (ReadyCallback &callback : loop.callbacks) {
		const auto place = places.find(callback.task.value_or(0));
		if (place != places.end() && !loop.tasks[place->second].stack.empty()) {
			const Task &task = loop.tasks[place->second];
			callback.callback = task.culprit ? *task.culprit : task.stack.back();
		}
	}
	join_pool_waits(loop, its, waits, places);
	for (const Task &task : loop.tasks) {
		for (const TaskId awaited : task.waits_for ? task.waits_for->tasks : std::vector<TaskId>()) {
			if (const auto place = places.find(awaited); place != places.end()) {
				loop.tasks[place->second].awaited_by.push_back(task.id);
			}
		}
	}
	add_holders(reader, loop, its);
}

} // namespace loopsnoop::runtimes::cpython::asyncio

// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/asyncio/join.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "runtimes/cpython/asyncio/waits.h"

namespace loopsnoop::runtimes::cpython::asyncio {

namespace {

constexpr std::size_t max_holders = 16;

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
	for (std::size_t i = 0; i < raw.size(); ++i) {
		inside[i] = with_objects(reader, raw[i]->chain);
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
				return stands_for(reader, object, wait, wait.address);
			});
			if (has) {
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

void join_tasks(ObjectReader &reader, TaskLoop &loop, const std::vector<RawTask> &raw) {
	std::vector<const RawTask *> its;
	for (const RawTask &task : raw) {
		if (task.loop == loop.address) {
			its.push_back(&task);
		}
	}
	std::unordered_map<TaskId, std::size_t> places;
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

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analysis/standstill.h"

// Loops that are idle while customers wait, made up.
namespace loopsnoop::analysis::standstill_fixture {

inline constexpr std::uint64_t second = 1'000'000'000;
inline constexpr std::uint64_t now = 1000 * second;
inline constexpr StandstillLimits limits{10 * second, second / 10};
using Asked = WaitingClient::Asked;

inline WaitingClient client(std::uint64_t waited_s, Asked asked = Asked::first) {
	WaitingClient one;
	one.local = "127.0.0.1:8000";
	one.remote = "127.0.0.1:40000";
	one.waited_ns = waited_s * second;
	one.asked = asked;
	return one;
}

inline ConnectionsSnapshot customers(std::vector<WaitingClient> waiting,
                                     std::optional<std::uint64_t> answered_s_ago = std::nullopt) {
	ConnectionsSnapshot snapshot;
	snapshot.time_ns = now;
	snapshot.inbound = waiting.size();
	snapshot.waiting = std::move(waiting);
	if (answered_s_ago) {
		snapshot.answered_ago_ns = *answered_s_ago * second;
	}
	return snapshot;
}

inline Task task(TaskId id, WaitsForKind kind, const std::string &file = "/srv/app.py", int line = 10) {
	Task one;
	one.id = id;
	one.name = "request-" + std::to_string(id);
	one.coroutine = "handle";
	one.stack = {{"handle", file, line}};
	one.culprit = SourceFrame{"handle", "/srv/app.py", 5};
	one.waits_for = WaitsFor{};
	one.waits_for->kind = kind;
	return one;
}

inline TaskLoop loop_of(std::vector<Task> tasks) {
	TaskLoop loop;
	loop.tid = 1;
	loop.framework = "asyncio";
	loop.address = 0x1000;
	loop.ready = 0;
	loop.tasks = std::move(tasks);
	return loop;
}

inline LoopSituation asleep(ConnectionsSnapshot connections) {
	LoopSituation situation;
	situation.now_ns = now;
	situation.asleep_since_ns = now - 30 * second;
	situation.connections = std::move(connections);
	return situation;
}

inline std::optional<StandstillVerdict> judge_with(ConnectionsSnapshot connections, const TaskLoop &tasks) {
	LoopSituation situation = asleep(std::move(connections));
	situation.tasks_before = &tasks;
	situation.tasks = &tasks;
	return judge(situation, limits);
}

inline std::optional<StandstillVerdict> judge_sockets(ConnectionsSnapshot connections) {
	return judge(asleep(std::move(connections)), limits);
}

} // namespace loopsnoop::analysis::standstill_fixture

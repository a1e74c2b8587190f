// SPDX-License-Identifier: Apache-2.0
#include "output/tasks_text.h"

#include <nlohmann/json.hpp>

#include "analysis/stuck_tasks.h"
#include "catch.h"
#include "output/json.h"

using namespace loopsnoop;
using output::tasks_in_short;
using output::tasks_text;

namespace {

constexpr TaskId exporter = 0x1000;

Task task_at(TaskId id, const std::string &name, int line) {
	Task task;
	task.id = id;
	task.name = name;
	task.coroutine = "article";
	const SourceFrame own{"article", "/srv/shop/api.py", line};
	task.stack = {{"Queue.get", "/usr/lib/python3.11/asyncio/queues.py", 158}, own};
	task.culprit = own;
	return task;
}

// 104 tasks for a pool that another one has, one that gathers two of them, and two that wait for each other.
TaskSnapshot shop() {
	TaskSnapshot snapshot;
	snapshot.pid = 4711;
	snapshot.comm = "uvicorn";
	snapshot.started_at = "2026-11-28T21:00:00.000000Z";
	snapshot.look_ns = 12'000'000;
	TaskLoop loop;
	loop.tid = 4711;
	loop.framework = "asyncio";
	loop.type = "Loop";
	loop.ready = 0;
	for (TaskId i = 0; i < 104; ++i) {
		Task task = task_at(0x2000 + i * 16, "fetch-" + std::to_string(i), 47);
		task.waits_for.emplace();
		task.waits_for->kind = WaitsForKind::pool;
		task.waits_for->type = "asyncpg's pool";
		task.waits_for->address = 0x900;
		task.waits_for->waiters = 104;
		task.waits_for->holders.push_back({exporter, "export", SourceFrame{"export", "/srv/shop/jobs.py", 88}});
		loop.tasks.push_back(task);
	}
	Task gather = task_at(0x1800, "gather", 60);
	gather.waits_for.emplace();
	gather.waits_for->kind = WaitsForKind::tasks;
	gather.waits_for->type = "asyncio.gather";
	gather.waits_for->tasks = {0x2000, 0x2010};
	loop.tasks[0].awaited_by = {gather.id};
	loop.tasks[1].awaited_by = {gather.id};
	loop.tasks.push_back(gather);
	for (const TaskId id : {TaskId{0x3000}, TaskId{0x3010}}) {
		Task task = task_at(id, id == 0x3000 ? "left" : "right", id == 0x3000 ? 70 : 80);
		task.waits_for.emplace();
		task.waits_for->kind = WaitsForKind::task;
		task.waits_for->tasks = {id ^ TaskId{0x10}};
		task.awaited_by = task.waits_for->tasks;
		loop.tasks.push_back(task);
	}
	snapshot.loops.push_back(loop);
	return snapshot;
}

std::size_t count(const std::string &text, const std::string &part) {
	std::size_t found = 0;
	for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
		++found;
	}
	return found;
}

} // namespace

TEST_CASE("equal branches are one, and who awaits them is above") {
	const std::string text = tasks_text(shop(), {});
	INFO(text);
	CHECK(text.starts_with("uvicorn (pid 4711): 107 tasks, 2026-11-28T21:00:00.000000Z, read in 12 ms\n"));
	CHECK(text.find("\nloop of thread 4711 (asyncio, Loop): 107 tasks\n") != std::string::npos);
	CHECK(
	    text.find(
	        "\n  102 tasks (fetch-2, fetch-3, fetch-4, fetch-5, …) article: waits for asyncpg's pool, as 103 others do; probably "
	        "held by export (/srv/shop/jobs.py:88)\n") != std::string::npos);
	CHECK(text.find("\n  gather article: waits for 2 tasks (asyncio.gather)\n") != std::string::npos);
	CHECK(text.find("\n    2 tasks (fetch-0, fetch-1) article: waits for asyncpg's pool") != std::string::npos);
	CHECK(count(text, "/srv/shop/api.py:47") == 2);
}

TEST_CASE("tasks that await each other are shown once each") {
	const std::string text = tasks_text(shop(), {});
	INFO(text);
	CHECK(text.find("  left article: waits for the end of another task\n") != std::string::npos);
	CHECK(text.find("    right article: waits for the end of another task\n") != std::string::npos);
	CHECK(text.find("left article, shown above\n") != std::string::npos);
}

TEST_CASE("a loop in short says where most wait") {
	Dump dump;
	dump.pid = 4711;
	CHECK(tasks_in_short(dump, {}).empty());
	TaskSnapshot snapshot = shop();
	snapshot.loops.front().tasks.back().state = TaskState::running;
	for (const TaskLoop &loop : snapshot.loops) {
		dump.loops.push_back(analysis::in_short(loop));
	}
	const std::string text = tasks_in_short(dump, {});
	INFO(text);
	CHECK(text.find("  104 tasks in article (/srv/shop/api.py:47): waits for asyncpg's pool") != std::string::npos);
	CHECK(text.find("  " + snapshot.loops.front().tasks.back().name + " runs\n") != std::string::npos);
	CHECK(text.find("more;") == std::string::npos);
	// The same from its record, as `report` shows it.
	const auto read = output::parse_json_line(output::to_json_line(dump));
	REQUIRE(read);
	CHECK(tasks_in_short(std::get<Dump>(**read), {}) == text);
}

TEST_CASE("a record of tasks is read back as it was") {
	TaskSnapshot snapshot = shop();
	snapshot.loops.front().tasks.front().changed = true;
	snapshot.notes = {"a note"};
	const auto read = output::parse_json_line(output::to_json_line(snapshot));
	REQUIRE(read);
	REQUIRE(*read);
	CHECK(tasks_text(std::get<TaskSnapshot>(**read), {}) == tasks_text(snapshot, {}));
}

TEST_CASE("what a worker thread does stands below the task that waits for it") {
	TaskSnapshot snapshot = shop();
	auto &tasks = snapshot.loops.front().tasks;
	tasks.clear();
	for (const TaskId id : {0x10, 0x20, 0x30}) {
		Task &task = tasks.emplace_back(task_at(id, "call-" + std::to_string(id / 16), 90));
		task.waits_for.emplace();
		task.waits_for->kind = WaitsForKind::executor;
		task.waits_for->tid = 4720 + static_cast<std::uint32_t>(id);
		task.waits_for->thread = "fetch_0";
		task.waits_for->thread_stack.emplace().python = {{"fetch", "/srv/shop/jobs.py", id == 0x30 ? 13 : 12}};
		const WorkersAt workers{3, SourceFrame{"fetch", "/srv/shop/jobs.py", 12}, {4736, 4752}};
		task.waits_for->executor = Executor{3, 3, 2, {workers}};
	}
	const std::string text = tasks_text(snapshot, {});
	INFO(text);
	CHECK(text.find("  2 tasks (call-1, call-2) article: waits for a call that thread 4736 fetch_0 makes; all 3 workers of the "
	                "executor are in fetch (/srv/shop/jobs.py:12)\n") != std::string::npos);
	CHECK(text.find("\n    thread 4736 fetch_0 makes one of the calls:\n") != std::string::npos);
	CHECK(text.find("\n    thread 4768 fetch_0 makes the call:\n") != std::string::npos);
	CHECK(count(text, "/srv/shop/jobs.py:13") == 1);
	const std::string line = output::to_json_line(snapshot);
	const auto read = output::parse_json_line(line);
	REQUIRE(read);
	REQUIRE(*read);
	CHECK(tasks_text(std::get<TaskSnapshot>(**read), {}) == text);
	const auto wait = nlohmann::json::parse(line)["loops"][0]["tasks"][0]["waits_for"];
	CHECK(wait["thread_stack"]["python"][0]["line"] == 12);
	CHECK(wait["executor"]["size"] == 3);
	CHECK(wait["executor"]["queued"] == 2);
	CHECK(wait["executor"]["places"][0]["tids"] == nlohmann::json({4736, 4752}));
}

TEST_CASE("snapshots that are not whole say so") {
	TaskSnapshot snapshot = shop();
	snapshot.overtaken = true;
	snapshot.left_out = 7;
	snapshot.notes = {"not \x1b[1mread"};
	snapshot.loops.clear();
	const std::string text = tasks_text(snapshot, {});
	CHECK(text.find("some may be missing") != std::string::npos);
	CHECK(text.find("left out: 7 tasks") != std::string::npos);
	CHECK(text.find("not \\x1b[1mread") != std::string::npos);
	CHECK(text.find("no loop of asyncio, Trio or gevent is in it") != std::string::npos);
}

TEST_CASE("the record `tasks`") {
	TaskSnapshot snapshot = shop();
	snapshot.loops.front().running = 0x3000;
	snapshot.loops.front().callbacks.push_back({std::nullopt, TaskId{0x3010}});
	const auto json = nlohmann::json::parse(output::to_json_line(snapshot));
	CHECK(json["type"] == "tasks");
	CHECK(json["look_ns"] == 12'000'000);
	const auto &loop = json["loops"][0];
	CHECK(loop["tid"] == 4711);
	CHECK(loop["running"] == "0x3000");
	CHECK(loop["timers"].is_null());
	CHECK(loop["callbacks"][0]["task"] == "0x3010");
	CHECK(loop["callbacks"][0]["function"].is_null());
	const auto &task = loop["tasks"][0];
	CHECK(task["id"] == "0x2000");
	CHECK(task["state"] == "pending");
	CHECK(task["awaited_by"] == nlohmann::json({"0x1800"}));
	CHECK(task["culprit"]["line"] == 47);
	CHECK(task["stack"]["python"].size() == 2);
	CHECK(task["waits_for"]["kind"] == "pool");
	CHECK(task["waits_for"]["waiters"] == 104);
	CHECK(task["waits_for"]["holders"][0]["how"] == "inferred");
	CHECK_FALSE(task["waits_for"].contains("ends_in_ns"));
	CHECK_FALSE(task.contains("changed"));
}

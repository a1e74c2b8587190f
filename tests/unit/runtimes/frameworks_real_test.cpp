// SPDX-License-Identifier: Apache-2.0
// Tasks of Trio and greenlets of real interpreters, read from outside; and what a loop's thread is at.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "catch.h"
#include "pythons.h"
#include "target.h"
#include "task_snapshots.h"
#include "task_text.h"

using namespace loopsnoop;
using runtimes::cpython::Interpreter;
using runtimes::cpython::asyncio::Greenlets;
using runtimes::cpython::asyncio::TaskReader;
using test::find_task;
using test::Scripts;
using test::snapshot_of;
using test::Target;
using test::text_of;

namespace {

void check_deadlines(const TaskSnapshot &snapshot) {
	constexpr std::int64_t second = 1'000'000'000;
	const std::map<std::string, std::int64_t> ends{{"sleep", 5000}, {"child", 5000}, {"timeout", 4000}, {"failing", 2000}};
	for (const TaskLoop &loop : snapshot.loops) {
		for (const Task &task : loop.tasks) {
			INFO(task.name);
			const auto end = ends.find(task.name);
			if (end == ends.end()) {
				CHECK((!task.waits_for || !task.waits_for->ends_in_ns || task.name == "__main__.main"));
				continue;
			}
			REQUIRE((task.waits_for && task.waits_for->ends_in_ns));
			CHECK(*task.waits_for->ends_in_ns <= end->second * second);
			CHECK(*task.waits_for->ends_in_ns > (end->second - 100) * second);
		}
	}
}

void check_worker(const Task &task, std::uint32_t pid) {
	REQUIRE(task.waits_for);
	CHECK(task.waits_for->kind == WaitsForKind::executor);
	REQUIRE(task.waits_for->tid);
	CHECK(*task.waits_for->tid != pid);
	REQUIRE(task.waits_for->thread_stack);
	CHECK(std::ranges::any_of(task.waits_for->thread_stack->python,
	                          [](const SourceFrame &frame) { return frame.function == "nap"; }));
}

// What the main thread of a target is at, asked until it answers.
TaskReader::Step step_of(Target &target, Interpreter &python, TaskReader &reader) {
	TaskReader::Step step;
	const std::uint64_t until = monotonic_ns() + 20'000'000'000;
	while (!step.task && monotonic_ns() < until) {
		step = reader.step(python, target.pid());
	}
	return step;
}

// It is at nothing any more.
bool comes_to_rest(Target &target, Interpreter &python, TaskReader &reader) {
	const std::uint64_t until = monotonic_ns() + 20'000'000'000;
	while (reader.step(python, target.pid()).task) {
		if (monotonic_ns() > until) {
			return false;
		}
	}
	return true;
}

} // namespace

TEST_CASE("tasks of Trio") {
	struct Wanted {
		const char *name, *kind;
		int line;
	};
	const std::vector<Wanted> wanted{{"holder", "event", 11},  {"lock", "lock", 15},    {"event", "event", 20},
	                                 {"sleep", "sleep", 24},   {"child", "sleep", 24},  {"receive", "queue_get", 28},
	                                 {"socket", "socket", 32}, {"nursery", "tasks", 36}};
	for (const char *name : {"bullseye", "bookworm", "trixie", "sid"}) {
		const auto python = test::python_of(name);
		if (!python) {
			continue;
		}
		const Scripts folder(python->root);
		Target target({python->program, "-B", folder.inside("tasks_trio.py")}, {python->root, false});
		const auto lines = target.lines_until("ready");
		REQUIRE(lines);
		const TaskSnapshot snapshot = snapshot_of(target.pid());
		INFO(name << text_of(snapshot));
		CHECK_FALSE(snapshot.overtaken);
		REQUIRE(snapshot.loops.size() == 1);
		CHECK(snapshot.loops.front().framework == "trio");
		CHECK(snapshot.loops.front().tid == target.pid());
		CHECK(snapshot.loops.front().ready == 0U);
		for (const Wanted &one : wanted) {
			INFO(one.name);
			const Task *task = find_task(snapshot, one.name);
			REQUIRE(task);
			REQUIRE(task->waits_for);
			CHECK(name_of(task->waits_for->kind) == std::string_view(one.kind));
			REQUIRE(task->culprit);
			// The line that a block ends on is its `with` since 3.10.
			CHECK((task->culprit->line == one.line || (task->name == "nursery" && task->culprit->line == one.line + 1)));
		}
		check_deadlines(snapshot);
		check_worker(*find_task(snapshot, "thread"), target.pid());
		const Task *lock = find_task(snapshot, "lock");
		REQUIRE(lock->waits_for->holders.size() == 1);
		CHECK(lock->waits_for->holders.front().name == "holder");
		CHECK(find_task(snapshot, "nursery")->waits_for->tasks == std::vector{find_task(snapshot, "child")->id});
		const auto *socket = std::get_if<SocketResource>(&find_task(snapshot, "socket")->waits_for->resource->is);
		REQUIRE(socket);
		CHECK(socket->fd == std::stoi(lines->front()));
	}
}

TEST_CASE("the task that runs under Trio") {
	for (const char *name : {"bullseye", "bookworm", "trixie", "sid"}) {
		const auto python = test::python_of(name);
		if (!python) {
			continue;
		}
		for (const char *depth : {"1", "500"}) {
			INFO(name << " " << depth);
			const Scripts folder(python->root);
			Target target({python->program, "-B", folder.inside("runs_trio.py"), depth}, {python->root, false});
			REQUIRE(target.lines_until("idle"));
			const process::ProcFs proc;
			auto interpreter = Interpreter::find(proc, target.pid());
			REQUIRE(interpreter);
			TaskReader reader(proc, target.pid());
			CHECK(comes_to_rest(target, *interpreter, reader));
			target.send("go\n");
			REQUIRE(target.lines_until("runs"));
			const auto step = step_of(target, *interpreter, reader);
			REQUIRE(step.task);
			CHECK(step.task->name == "orders-7");
			CHECK(step.task->coroutine == "take_order");
			target.send("enough\n");
			CHECK(step.task->id == std::stoull(target.lines_until("that").value_or(std::vector<std::string>{"0"}).front()));
		}
	}
}

TEST_CASE("the greenlet that runs") {
	// gevent's hub, as far as it is known by its name: gevent itself is on one of these only.
	for (const char *name : {"bookworm", "trixie", "sid", "sid:3.15"}) {
		const auto python = test::python_of(name);
		if (!python) {
			continue;
		}
		INFO(name);
		const Scripts folder(python->root);
		Target target({python->program, "-B", folder.inside("runs_greenlet.py")}, {python->root, false});
		REQUIRE(target.lines_until("idle"));
		const process::ProcFs proc;
		auto interpreter = Interpreter::find(proc, target.pid());
		REQUIRE(interpreter);
		TaskReader reader(proc, target.pid());
		CHECK(comes_to_rest(target, *interpreter, reader)); // the hub waits
		for (const auto &[greenlet, function] : {std::pair{"Greenlet", "plain"}, {"orders-7", "named"}, {"Greenlet", "nested"}}) {
			target.send("go\n");
			REQUIRE(target.lines_until("runs"));
			const auto step = step_of(target, *interpreter, reader);
			REQUIRE(step.task);
			CHECK(step.task->name == greenlet);
			CHECK(step.task->coroutine == function);
			target.send("enough\n");
			CHECK(step.task->id == std::stoull(target.lines_until("that").value_or(std::vector<std::string>{"0"}).front()));
		}
	}
}

// SPDX-License-Identifier: Apache-2.0
// Tasks of real interpreters, read from outside, against what tasks.py knows of itself.
#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <sstream>

#include "base/clock.h"
#include "catch.h"
#include "process/procfs.h"
#include "pythons.h"
#include "runtimes/cpython/asyncio/snapshot.h"
#include "runtimes/cpython/interpreter.h"
#include "runtimes/cpython/locate.h"
#include "target.h"
#include "task_snapshots.h"
#include "task_text.h"

using namespace loopsnoop;
using runtimes::cpython::Interpreter;
using runtimes::cpython::asyncio::TaskReader;
using test::find_task;
using test::pythons;
using test::Scripts;
using test::snapshot_of;
using test::Target;
using test::text_of;

namespace {

struct Expected {
	std::string name, kind, line, function, holder, waiters;
	std::vector<std::string> awaited;
};

std::vector<std::string> split(const std::string &text, char by) {
	std::vector<std::string> parts;
	std::istringstream stream(text);
	for (std::string part; std::getline(stream, part, by);) {
		parts.push_back(part);
	}
	return parts;
}

std::string name_by_id(const TaskSnapshot &snapshot, TaskId id) {
	for (const TaskLoop &loop : snapshot.loops) {
		for (const Task &task : loop.tasks) {
			if (task.id == id) {
				return task.name;
			}
		}
	}
	return "not there";
}

void check_task(const TaskSnapshot &snapshot, const Expected &expected, bool uvloop) {
	INFO("task " << expected.name);
	const Task *task = find_task(snapshot, expected.name);
	REQUIRE(task);
	CHECK(task->state == TaskState::pending);
	REQUIRE(task->waits_for);
	CHECK(name_of(task->waits_for->kind) == expected.kind);
	const auto own = std::ranges::find_if(task->stack, [](const SourceFrame &frame) {
		return frame.file.ends_with("/tasks.py") && frame.file.find("asyncio") == std::string::npos;
	});
	REQUIRE(own != task->stack.end());
	CHECK(std::to_string(own->line.value_or(-1)) == expected.line);
	// Qualified names are known since 3.11.
	CHECK((own->function == expected.function || expected.function.ends_with("." + own->function)));
	if (expected.waiters != "-") {
		CHECK(task->waits_for->waiters == std::stoull(expected.waiters));
	}
	if (expected.holder != "-") {
		REQUIRE(task->waits_for->holders.size() == 1);
		CHECK(task->waits_for->holders.front().name == expected.holder);
	} else {
		CHECK(task->waits_for->holders.empty());
	}
	std::multiset<std::string> awaited;
	for (const TaskId id : task->waits_for->tasks) {
		awaited.insert(name_by_id(snapshot, id));
	}
	if (expected.awaited != std::vector<std::string>{"?"}) {
		CHECK(awaited == std::multiset<std::string>(expected.awaited.begin(), expected.awaited.end()));
	} else {
		CHECK(awaited.size() == 1);
	}
	constexpr std::int64_t second = 1'000'000'000;
	const std::map<std::string, std::int64_t> ends{{"sleep", 5000}, {"timeout", 4000}};
	// When a sleep began, and so when it ends, only its timer says: uvloop's cannot be read.
	if (const auto end = ends.find(expected.name); end != ends.end() && !(uvloop && expected.name == "sleep")) {
		REQUIRE(task->waits_for->ends_in_ns);
		CHECK(*task->waits_for->ends_in_ns <= end->second * second);
		CHECK(*task->waits_for->ends_in_ns > (end->second - 100) * second);
	} else {
		CHECK_FALSE(task->waits_for->ends_in_ns);
	}
}

void check_all(const std::string &python_name, const std::string &variant) {
	const auto python = python_name.empty() ? std::optional(test::Python{"", "/usr/bin/python3"}) : test::python_of(python_name);
	if (!python) {
		return;
	}
	INFO("python " << python_name << " " << variant);
	const Scripts folder(python->root);
	Target target({python->program, "-B", folder.inside("tasks.py"), variant}, {python->root, false});
	const auto lines = target.lines_until("ready");
	REQUIRE(lines);
	const TaskSnapshot snapshot = snapshot_of(target.pid());
	INFO(text_of(snapshot));
	CHECK_FALSE(snapshot.overtaken);
	CHECK(snapshot.notes.empty());
	CHECK(snapshot.left_out == 0);
	REQUIRE(snapshot.loops.size() == 2);
	const bool uvloop = variant == "uvloop";
	std::size_t checked = 0;
	std::size_t count = 1000;
	for (const std::string &line : *lines) {
		const auto parts = split(line, '\t');
		if (parts.size() >= 7 && parts[0] == "task") {
			check_task(snapshot,
			           {parts[1], parts[2], parts[3], parts[4], parts[5], parts[6],
			            parts.size() > 7 ? split(parts[7], ',') : std::vector<std::string>()},
			           uvloop);
			++checked;
		} else if (parts.size() == 2 && parts[0] == "count") {
			count = std::stoul(parts[1]);
		} else if (parts.size() == 2 && parts[0] == "fd") {
			const Task *reader = find_task(snapshot, "socket");
			REQUIRE((reader != nullptr && reader->waits_for && reader->waits_for->resource));
			const auto *socket = std::get_if<SocketResource>(&reader->waits_for->resource->is);
			REQUIRE(socket);
			CHECK(socket->fd == std::stoi(parts[1]));
		}
	}
	CHECK(checked == count);
	const Task *executor = find_task(snapshot, "executor");
	REQUIRE(executor->waits_for->tid);
	CHECK(*executor->waits_for->tid != target.pid());
	CHECK(executor->waits_for->thread == "worker_0");
	CHECK_FALSE(executor->waits_for->queued);
	REQUIRE(executor->waits_for->thread_stack);
	const auto &frames = executor->waits_for->thread_stack->python;
	CHECK(std::ranges::any_of(frames, [](const SourceFrame &frame) { return frame.function == "nap"; }));
	CHECK(frames.back().function == "nap");
	const Task *queued = find_task(snapshot, "queued");
	CHECK(queued->waits_for->queued);
	for (const Task *task : {executor, queued}) {
		INFO(task->name);
		REQUIRE(task->waits_for->executor);
		const Executor &pool = *task->waits_for->executor;
		CHECK((pool.size == 1 && pool.busy == 1 && pool.queued == 1));
		REQUIRE(pool.places.size() == 1);
		CHECK((pool.places.front().culprit && pool.places.front().culprit->function == "nap"));
		CHECK(pool.places.front().tids == std::vector{*executor->waits_for->tid});
	}
	const auto other = std::ranges::find_if(snapshot.loops, [](const TaskLoop &loop) { return loop.tasks.size() == 1; });
	REQUIRE(other != snapshot.loops.end());
	CHECK(other->tasks.front().name == "lonely");
	CHECK(other->tid != target.pid());
	CHECK(other->tid != 0);
	const TaskLoop &main = snapshot.loops[other == snapshot.loops.begin() ? 1 : 0];
	CHECK(main.tid == target.pid());
	CHECK(main.ready == 0U);
	CHECK_FALSE(main.running);
	const Task *sleep = find_task(snapshot, "sleep");
	std::multiset<std::string> awaiters;
	for (const TaskId id : sleep->awaited_by) {
		awaiters.insert(name_by_id(snapshot, id));
	}
	CHECK(awaiters == std::multiset<std::string>{"task", "gather"});
}

} // namespace

TEST_CASE("asyncio tasks of CPython 3.9") { check_all("bullseye", ""); }
TEST_CASE("asyncio tasks of CPython 3.11") { check_all("bookworm", ""); }
TEST_CASE("asyncio tasks of CPython 3.13") { check_all("trixie", ""); }
TEST_CASE("asyncio tasks of CPython 3.14") { check_all("sid", ""); }
TEST_CASE("asyncio tasks of CPython 3.15") { check_all("sid:3.15", ""); }
TEST_CASE("asyncio tasks written in Python") {
	for (const std::string &python : pythons) {
		check_all(python, "python");
	}
}
TEST_CASE("asyncio tasks of a derived class") {
	for (const std::string &python : pythons) {
		check_all(python, "subclass");
	}
}
TEST_CASE("eager asyncio tasks") {
	for (const char *python : {"trixie", "sid", "sid:3.15"}) {
		check_all(python, "eager");
	}
}
TEST_CASE("asyncio tasks of uvloop") {
	for (const char *python : {"bullseye", "bookworm", "trixie", "sid"}) {
		check_all(python, "uvloop");
	}
}

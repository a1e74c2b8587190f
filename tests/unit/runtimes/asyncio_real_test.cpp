// SPDX-License-Identifier: Apache-2.0
// Tasks of real interpreters, read from outside, against what tasks.py knows of itself.
#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <random>
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

using namespace loopsnoop;
using runtimes::cpython::Interpreter;
using runtimes::cpython::asyncio::TaskReader;
using test::Scripts;
using test::Target;

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

std::string text_of(const Task &task) {
	std::ostringstream text;
	text << "\n  " << task.name << " " << name_of(task.state) << " " << task.coroutine << (task.changed ? " changed" : "");
	if (task.waits_for) {
		const WaitsFor &wait = *task.waits_for;
		text << " waits for " << name_of(wait.kind) << " '" << wait.type << "' waiters "
		     << (wait.waiters ? std::to_string(*wait.waiters) : "-") << " ends "
		     << (wait.ends_in_ns ? std::to_string(*wait.ends_in_ns) : "-") << " tid "
		     << (wait.tid ? std::to_string(*wait.tid) : "-") << " tasks " << wait.tasks.size() << " holders "
		     << wait.holders.size() << (wait.queued ? " queued" : "");
	}
	for (const SourceFrame &frame : task.stack) {
		text << "\n      " << frame.function << " " << frame.file << ":" << frame.line.value_or(-1);
	}
	return text.str();
}

std::string text_of(const TaskSnapshot &snapshot) {
	std::ostringstream text;
	for (const std::string &note : snapshot.notes) {
		text << "\nnote: " << note;
	}
	for (const TaskLoop &loop : snapshot.loops) {
		text << "\nloop of " << loop.tid << " " << loop.type << ", " << loop.tasks.size() << " tasks, ready "
		     << (loop.ready ? std::to_string(*loop.ready) : "-") << ", timers "
		     << (loop.timers ? std::to_string(*loop.timers) : "-") << ", next in "
		     << (loop.next_timer_in_ns ? std::to_string(*loop.next_timer_in_ns) : "-");
		for (const Task &task : loop.tasks) {
			text << text_of(task);
		}
	}
	return text.str();
}

TaskSnapshot snapshot_of(std::uint32_t pid) {
	const process::ProcFs proc;
	auto interpreter = Interpreter::find(proc, pid);
	REQUIRE(interpreter);
	TaskReader reader(proc, pid);
	TaskSnapshot snapshot;
	reader.read(*interpreter, snapshot);
	return snapshot;
}

const Task *find_task(const TaskSnapshot &snapshot, const std::string &name) {
	for (const TaskLoop &loop : snapshot.loops) {
		for (const Task &task : loop.tasks) {
			if (task.name == name) {
				return &task;
			}
		}
	}
	return nullptr;
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
	if (const auto end = ends.find(expected.name); end != ends.end() && !uvloop) {
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
		} else if (parts.size() == 2 && parts[0] == "fd" && !uvloop) {
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
	CHECK(find_task(snapshot, "queued")->waits_for->queued);
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

// A target's memory with some of its words replaced, others at each read: what was freed, what never was there, and what somebody
// put there to mislead.
class MutatedMemory final : public process::Memory {
public:
	MutatedMemory(std::uint32_t pid, const bool &on, unsigned seed) : memory_(pid), on_(on), random_(seed) {}

	[[nodiscard]] std::size_t read_some(std::uint64_t address, std::span<std::byte> into) const override {
		const std::size_t got = memory_.read_some(address, into);
		constexpr std::size_t one_in = 100;
		for (std::size_t at = 0; on_ && at + 8 <= got; at += 8) {
			if (random_() % one_in != 0) {
				continue;
			}
			std::uint64_t word = 0;
			std::memcpy(&word, &into[at], sizeof word);
			switch (random_() % 5) {
			case 0: word = random_(); break;
			case 1: word = address; break; // back to where we are
			case 2: word = random_() % 100'000; break;
			case 3: word += 8 * (random_() % 64); break;
			default: word = ~word; break;
			}
			std::memcpy(&into[at], &word, sizeof word);
		}
		return got;
	}

private:
	process::TargetMemory memory_;
	const bool &on_;
	mutable std::mt19937_64 random_;
};

// Frames of tasks_churn.py stand on lines of their own alone.
std::size_t wrong_lines(const TaskSnapshot &snapshot) {
	const std::map<std::string, std::set<int>> lines{{"leaf", {7, 8, 9}},
	                                                 {"branch", {12, 13, 14}},
	                                                 {"main", {19, 20, 21, 22}},
	                                                 {"<genexpr>", {22}},
	                                                 {"main.<locals>.<genexpr>", {22}}}; // since 3.11
	// Where asyncio makes a task, it enters it into a weak set.
	const auto of_asyncio = [](const std::string &file) {
		return file.empty() || file.find("/asyncio/") != std::string::npos || file.ends_with("/_weakrefset.py");
	};
	std::size_t wrong = 0;
	for (const TaskLoop &loop : snapshot.loops) {
		for (const Task &task : loop.tasks) {
			for (const SourceFrame &frame : task.stack) {
				if (!frame.file.ends_with("/tasks_churn.py")) {
					wrong += of_asyncio(frame.file) ? 0U : 1U;
					continue;
				}
				const auto known = lines.find(frame.function);
				wrong += known == lines.end() || (frame.line && !known->second.contains(*frame.line)) ? 1U : 0U;
			}
			const bool known_name =
			    task.coroutine == "leaf" || task.coroutine == "branch" || task.coroutine == "main" || task.coroutine.empty();
			wrong += known_name ? 0U : 1U;
		}
	}
	return wrong;
}

const std::vector<std::string> pythons{"bullseye", "bookworm", "trixie", "sid", "sid:3.15"};

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
		const Task *lock = find_task(snapshot, "lock");
		REQUIRE(lock->waits_for->holders.size() == 1);
		CHECK(lock->waits_for->holders.front().name == "holder");
		CHECK(find_task(snapshot, "nursery")->waits_for->tasks == std::vector{find_task(snapshot, "child")->id});
		const auto *socket = std::get_if<SocketResource>(&find_task(snapshot, "socket")->waits_for->resource->is);
		REQUIRE(socket);
		CHECK(socket->fd == std::stoi(lines->front()));
	}
}

TEST_CASE("10,000 asyncio tasks are read in time") {
	for (const std::string &name : pythons) {
		const auto python = test::python_of(name);
		if (!python) {
			continue;
		}
		const Scripts folder(python->root);
		Target target({python->program, "-B", folder.inside("tasks_many.py"), "10000"}, {python->root, false});
		REQUIRE(target.lines_until("ready"));
		const process::ProcFs proc;
		auto interpreter = Interpreter::find(proc, target.pid());
		REQUIRE(interpreter);
		TaskReader reader(proc, target.pid());
		std::uint64_t best = ~0ULL;
		for (int round = 0; round < 3; ++round) {
			TaskSnapshot snapshot;
			const std::uint64_t begin = monotonic_ns();
			reader.read(*interpreter, snapshot);
			best = std::min(best, monotonic_ns() - begin);
			REQUIRE(snapshot.loops.size() == 1);
			CHECK(snapshot.notes.empty());
			CHECK(snapshot.loops.front().tasks.size() == 10'002);
			const auto of_lock = [](const Task &task) {
				return task.waits_for && task.waits_for->kind == WaitsForKind::lock && task.waits_for->holders.size() == 1 &&
				       task.stack.size() == 6 && task.waits_for->waiters == 10'000U;
			};
			CHECK(std::ranges::count_if(snapshot.loops.front().tasks, of_lock) == 10'000);
		}
		WARN(name << ": 10,000 tasks in " << best / 1'000'000 << " ms");
		CHECK(best < 5'000'000'000); // the promise is a second, of an optimised build on a machine that does nothing else
	}
}

TEST_CASE("tasks that are made and ended at full load give no wrong line") {
	for (const std::string &name : pythons) {
		const auto python = test::python_of(name);
		if (!python) {
			continue;
		}
		INFO(name);
		const Scripts folder(python->root);
		Target target({python->program, "-B", folder.inside("tasks_churn.py"), "50"}, {python->root, false});
		REQUIRE(target.lines_until("ready"));
		const process::ProcFs proc;
		auto interpreter = Interpreter::find(proc, target.pid());
		REQUIRE(interpreter);
		TaskReader reader(proc, target.pid());
		std::size_t tasks = 0;
		std::size_t changed = 0;
		std::size_t overtaken = 0;
		std::size_t running = 0;
		const int rounds =
		    test::from_environment("LOOPSNOOP_CHURN").empty() ? 100 : std::stoi(test::from_environment("LOOPSNOOP_CHURN"));
		for (int round = 0; round < rounds; ++round) {
			TaskSnapshot snapshot;
			reader.read(*interpreter, snapshot);
			const std::size_t wrong = wrong_lines(snapshot);
			if (wrong != 0) {
				INFO(text_of(snapshot));
				CHECK(wrong == 0);
			}
			overtaken += snapshot.overtaken ? 1U : 0U;
			for (const TaskLoop &loop : snapshot.loops) {
				tasks += loop.tasks.size();
				running += loop.running ? 1U : 0U;
				changed += static_cast<std::size_t>(std::ranges::count_if(loop.tasks, &Task::changed));
			}
		}
		WARN(name << ": " << tasks << " tasks in " << rounds << " snapshots, " << changed << " moved while they were read, "
		          << overtaken << " snapshots overtaken, " << running << " with a running task");
		CHECK(tasks > 0);
	}
}

TEST_CASE("hostile memory in place of tasks comes to an end") {
	for (const std::string &name : pythons) {
		const auto python = test::python_of(name);
		if (!python) {
			continue;
		}
		INFO(name);
		const Scripts folder(python->root);
		Target target({python->program, "-B", folder.inside("tasks.py"), "-"}, {python->root, false});
		REQUIRE(target.lines_until("ready"));
		const process::ProcFs proc;
		const auto location = runtimes::cpython::locate(proc, target.pid(), process::TargetMemory(target.pid()));
		REQUIRE(location);
		TaskReader reader(proc, target.pid());
		std::uint64_t longest = 0;
		for (unsigned seed = 0; seed < 40; ++seed) {
			bool on = false;
			auto interpreter =
			    Interpreter::at(proc, target.pid(), std::make_unique<MutatedMemory>(target.pid(), on, seed), *location);
			REQUIRE(interpreter);
			TaskSnapshot healthy;
			reader.read(*interpreter, healthy);
			on = true;
			TaskSnapshot snapshot;
			const std::uint64_t begin = monotonic_ns();
			reader.read(*interpreter, snapshot);
			longest = std::max(longest, monotonic_ns() - begin);
			for (const TaskLoop &loop : snapshot.loops) {
				CHECK(loop.tasks.size() <= 65'536);
				for (const Task &task : loop.tasks) {
					CHECK(task.stack.size() <= 128);
				}
			}
		}
		CHECK(longest < 30'000'000'000);
		WARN(name << ": " << longest / 1'000'000 << " ms at most");
	}
}

// SPDX-License-Identifier: Apache-2.0
// The other kinds of standstills, and what their records count.
#include "analysis/standstill.h"

#include <string>
#include <utility>
#include <vector>

#include "analysis/stuck_tasks.h"
#include "catch.h"
#include "standstill_fixture.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::analysis::standstill_fixture;

TEST_CASE("standstill: a lost wake-up is proven by two snapshots of a loop that did not run in between") {
	auto step = task(1, WaitsForKind::ready);
	step.state = TaskState::ready;
	TaskLoop queued = loop_of({step});
	queued.ready = 1;
	LoopSituation situation = asleep(customers({}));
	situation.tasks_before = &queued;
	situation.tasks = &queued;
	const auto verdict = judge(situation, limits);
	REQUIRE(verdict);
	CHECK(verdict->kind == StandstillKind::lost_wakeup);
	CHECK(verdict->certain);
	CHECK(verdict->since_ns == now - 30 * second);
	CHECK(verdict->stuck == std::set<TaskId>{1});

	situation.asleep_since_ns = 0; // it ran in between
	CHECK_FALSE(judge(situation, limits));
	situation.asleep_since_ns = now - 30 * second;
	const TaskLoop empty = loop_of({});
	situation.tasks_before = &empty; // just queued: it is about to be woken
	CHECK_FALSE(judge(situation, limits));
	situation.tasks_before = &queued;
	TaskLoop unreadable = queued;
	unreadable.ready.reset();
	situation.tasks = &unreadable;
	CHECK_FALSE(judge(situation, limits));
	TaskLoop other = queued;
	other.address = 0x2000;
	situation.tasks = &other;
	CHECK_FALSE(judge(situation, limits));
}

TEST_CASE("standstill: what only the second snapshot shows is read again before an answer that does not come is reported") {
	TaskLoop loop = loop_of({task(1, WaitsForKind::future)});
	LoopSituation situation = asleep(customers({}));
	CHECK_FALSE(may_prove_worse(situation));
	situation.tasks = &loop;
	CHECK_FALSE(may_prove_worse(situation));
	loop.ready = 1;
	CHECK(may_prove_worse(situation));
	loop.ready = 0;
	auto a = task(1, WaitsForKind::task);
	a.waits_for->tasks = {2};
	auto b = task(2, WaitsForKind::task);
	b.waits_for->tasks = {1};
	loop.tasks = {a, b};
	CHECK(may_prove_worse(situation));
}

TEST_CASE("standstill: a timer that another thread made") {
	TaskLoop timed = loop_of({});
	timed.next_timer_in_ns = -static_cast<std::int64_t>(20 * second);
	LoopSituation situation = asleep(customers({}));
	situation.tasks_before = &timed;
	situation.tasks = &timed;
	const auto verdict = judge(situation, limits);
	REQUIRE(verdict);
	CHECK(verdict->kind == StandstillKind::lost_wakeup);
	CHECK(verdict->since_ns == now - 20 * second);
	timed.next_timer_in_ns = 20 * second;
	CHECK_FALSE(judge(situation, limits));
	timed.next_timer_in_ns = -static_cast<std::int64_t>(second / 20); // within the threshold
	CHECK_FALSE(judge(situation, limits));
}

TEST_CASE("standstill: tasks that wait for each other") {
	auto a = task(1, WaitsForKind::task);
	a.waits_for->tasks = {2};
	auto b = task(2, WaitsForKind::task);
	b.waits_for->tasks = {1};
	const auto verdict = judge_with(customers({}), loop_of({task(3, WaitsForKind::event), a, b}));
	REQUIRE(verdict);
	CHECK(verdict->kind == StandstillKind::task_deadlock);
	CHECK(verdict->certain);
	CHECK(verdict->deadlock == std::vector<TaskId>{1, 2});

	b.waits_for = WaitsFor{};
	b.waits_for->kind = WaitsForKind::lock;
	b.waits_for->holders = {{1, "Task-1", std::nullopt}};
	const auto inferred = judge_with(customers({}), loop_of({a, b}));
	REQUIRE(inferred);
	CHECK_FALSE(inferred->certain);
	b.waits_for->ends_in_ns = second;
	CHECK_FALSE(judge_with(customers({}), loop_of({a, b})));
	b.waits_for->ends_in_ns.reset();
	b.waits_for->holders = {{1, "Task-1", std::nullopt}, {9, "Task-9", std::nullopt}};
	CHECK_FALSE(judge_with(customers({}), loop_of({a, b})));
}

TEST_CASE("standstill: a chain of tasks that ends is no circle, wherever it is entered") {
	std::vector<Task> chain;
	for (TaskId id = 1; id < 50; id++) {
		chain.push_back(task(id, WaitsForKind::task));
		chain.back().waits_for->tasks = {id + 1};
	}
	CHECK(find_circle(loop_of(chain)).tasks.empty());
	chain.push_back(task(50, WaitsForKind::task));
	chain.back().waits_for->tasks = {25};
	CHECK(find_circle(loop_of(chain)).tasks.size() == 26);
}

TEST_CASE("standstill: connections that nobody accepts") {
	auto waiting = client(40);
	waiting.accepted = false;
	LoopSituation situation = asleep(customers({waiting}));
	const auto verdict = judge(situation, limits);
	REQUIRE(verdict);
	CHECK(verdict->kind == StandstillKind::not_accepted);
	CHECK(verdict->certain);
	CHECK(verdict->since_ns == now - 30 * second); // it has slept for so long

	situation.children_accept = true; // a pre-fork server's master
	CHECK_FALSE(judge(situation, limits));
	situation.children_accept = false;
	situation.asleep_since_ns = now - 2 * second;
	CHECK_FALSE(judge(situation, limits));
	situation.asleep_since_ns = 0;
	CHECK_FALSE(judge(situation, limits));
}

TEST_CASE("standstill: a loop that goes round for one descriptor") {
	LoopSituation situation;
	situation.now_ns = now;
	situation.iterations_per_s = 200'000;
	situation.idle_share_percent = 0;
	CHECK_FALSE(judge(situation, limits)); // busy: nothing stays ready
	situation.always_ready = ReadyDescriptor{now - 12 * second, 7, std::nullopt};
	const auto verdict = judge(situation, limits);
	REQUIRE(verdict);
	CHECK(verdict->kind == StandstillKind::spin);
	CHECK(verdict->since_ns == now - 12 * second);
	situation.iterations_per_s = 300;
	CHECK_FALSE(judge(situation, limits));
	situation.iterations_per_s = 200'000;
	situation.idle_share_percent = 40;
	CHECK_FALSE(judge(situation, limits));
	situation.idle_share_percent = 0;
	situation.always_ready->since_ns = now - 3 * second;
	CHECK_FALSE(judge(situation, limits));
}

TEST_CASE("clients of a record") {
	auto connections = customers({});
	for (std::uint64_t i = 0; i < 20; i++) {
		connections.waiting.push_back(client(40 - i));
	}
	connections.waiting.push_back(client(90, Asked::last));
	connections.waiting.front().unread_bytes = 7;
	auto queued = client(3);
	queued.accepted = false;
	connections.waiting.push_back(queued);
	connections.listening.push_back({"0.0.0.0:80", 3});
	connections.gave_up = 2;
	const Clients clients = count_clients(connections);
	CHECK(clients.unanswered == 20);
	CHECK(clients.unread == 1);
	CHECK(clients.not_accepted == 3);
	CHECK(clients.gave_up == 2);
	CHECK(clients.oldest_ns == 40 * second);
	CHECK(clients.connections.size() == 16);
}

TEST_CASE("a record that is repeated at the end is of that moment") {
	Standstill standstill;
	standstill.clients.oldest_ns = 12 * second;
	standstill.clients.connections.push_back(client(12));
	standstill.upstream.push_back({"10.0.0.1:40000", "10.1.2.3:443", std::nullopt, 15 * second, false});
	standstill.tasks.emplace_back();
	standstill.tasks.front().waited_ns = 10 * second;
	standstill.tasks.emplace_back();
	grow_older(standstill, 5 * second);
	CHECK(standstill.clients.oldest_ns == 17 * second);
	CHECK(standstill.clients.connections.front().waited_ns == 17 * second);
	CHECK(standstill.upstream.front().waited_ns == 20 * second);
	CHECK(standstill.tasks.front().waited_ns == 15 * second);
	CHECK_FALSE(standstill.tasks.back().waited_ns);
}

TEST_CASE("groups of tasks: by place and by what they wait for") {
	std::vector<Task> tasks;
	for (TaskId id = 1; id <= 12; id++) {
		tasks.push_back(task(id, WaitsForKind::lock));
		tasks.back().waits_for->address = 0xa0;
	}
	tasks.push_back(task(20, WaitsForKind::lock));
	tasks.back().waits_for->address = 0xb0; // another lock at the same line
	tasks.push_back(task(21, WaitsForKind::sleep, "/srv/app.py", 99));
	const TaskLoop loop = loop_of(tasks);
	TaskAges ages;
	ages.add(loop, now - 8 * second);
	ages.add(loop, now - 3 * second);
	const auto groups = group_tasks(loop, ages, now, {20}, 16);
	REQUIRE(groups.size() == 3);
	CHECK(groups.at(0).count == 1); // it has to do with it
	CHECK(groups.at(1).count == 12);
	CHECK(groups.at(1).names.size() == 8);
	CHECK(groups.at(1).waited_ns == 8 * second);
	CHECK(group_tasks(loop, ages, now, {}, 1).size() == 1);
	// A server's tasks of connections wait for those that wait for the lock.
	TaskLoop served = loop;
	std::set<TaskId> stuck;
	for (TaskId id = 1; id <= 12; id++) {
		stuck.insert({id, 100 + id});
		served.tasks.push_back(task(100 + id, WaitsForKind::task, "/srv/app.py", 70));
	}
	served.tasks.push_back(task(200, WaitsForKind::task, "/srv/app.py", 70));
	stuck.insert(200);
	const auto ends_first = group_tasks(served, ages, now, stuck, 16);
	CHECK(ends_first.at(0).waits_for->kind == WaitsForKind::lock);
	CHECK(ends_first.at(0).count == 12);
	CHECK(ends_first.at(1).count == 13);
	TaskLoop moved = loop;
	moved.tasks.front().stack.front().line = 11;
	ages.add(moved, now - second);
	CHECK(ages.since_ns(moved.tasks.front()) == now - second);
	CHECK(ages.since_ns(loop.tasks.front()) == 0);
}

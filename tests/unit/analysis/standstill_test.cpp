// SPDX-License-Identifier: Apache-2.0
#include "analysis/standstill.h"

#include <string>
#include <utility>
#include <vector>

#include "analysis/stuck_tasks.h"
#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;

namespace {

constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint64_t now = 1000 * second;
constexpr StandstillLimits limits{10 * second, second / 10};
using Asked = WaitingClient::Asked;

WaitingClient client(std::uint64_t waited_s, Asked asked = Asked::first) {
	WaitingClient one;
	one.local = "127.0.0.1:8000";
	one.remote = "127.0.0.1:40000";
	one.waited_ns = waited_s * second;
	one.asked = asked;
	return one;
}

ConnectionsSnapshot customers(std::vector<WaitingClient> waiting, std::optional<std::uint64_t> answered_s_ago = std::nullopt) {
	ConnectionsSnapshot snapshot;
	snapshot.time_ns = now;
	snapshot.inbound = waiting.size();
	snapshot.waiting = std::move(waiting);
	if (answered_s_ago) {
		snapshot.answered_ago_ns = *answered_s_ago * second;
	}
	return snapshot;
}

Task task(TaskId id, WaitsForKind kind, const std::string &file = "/srv/app.py", int line = 10) {
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

TaskLoop loop_of(std::vector<Task> tasks) {
	TaskLoop loop;
	loop.tid = 1;
	loop.framework = "asyncio";
	loop.address = 0x1000;
	loop.ready = 0;
	loop.tasks = std::move(tasks);
	return loop;
}

LoopSituation asleep(ConnectionsSnapshot connections) {
	LoopSituation situation;
	situation.now_ns = now;
	situation.asleep_since_ns = now - 30 * second;
	situation.connections = std::move(connections);
	return situation;
}

std::optional<StandstillVerdict> judge_with(ConnectionsSnapshot connections, const TaskLoop &tasks) {
	LoopSituation situation = asleep(std::move(connections));
	situation.tasks_before = &tasks;
	situation.tasks = &tasks;
	return judge(situation, limits);
}

std::optional<StandstillVerdict> judge_sockets(ConnectionsSnapshot connections) {
	return judge(asleep(std::move(connections)), limits);
}

} // namespace

TEST_CASE("standstill: an idle loop that nobody waits for is healthy") {
	CHECK_FALSE(judge_sockets(customers({})));
	CHECK_FALSE(judge_sockets(customers({}, 900)));
	CHECK_FALSE(judge(LoopSituation{}, limits));
	CHECK_FALSE(judge_with(customers({}), loop_of({})));
}

TEST_CASE("standstill: customers who wait less than --stuck-after") { CHECK_FALSE(judge_sockets(customers({client(9)}))); }

TEST_CASE("standstill: customers who sent last, and of whom it is not known that they asked") {
	// WebSockets, HTTP/2 and TLS whose client has the last word.
	CHECK_FALSE(judge_sockets(customers({client(60, Asked::last), client(600, Asked::last)})));
	CHECK_FALSE(judge_with(customers({client(60, Asked::last)}), loop_of({task(1, WaitsForKind::lock)})));
}

TEST_CASE("standstill: a log shipper is owed no answer") {
	auto shipper = client(60);
	shipper.one_way = true;
	CHECK_FALSE(judge_sockets(customers({shipper})));
}

TEST_CASE("standstill: one message on one connection that was answered before, without tasks to look at") {
	CHECK_FALSE(judge_sockets(customers({client(60, Asked::watched)})));
}

TEST_CASE("standstill: long polls while others are answered, without tasks to look at") {
	CHECK_FALSE(judge_sockets(customers({client(25), client(20)}, 3)));
}

TEST_CASE("standstill: a greenlet that sleeps below a server's code serves a customer, one of the application's own does not") {
	Task handler = task(1, WaitsForKind::sleep);
	handler.stack.push_back({"WSGIHandler.handle", "/usr/lib/python3/dist-packages/gevent/pywsgi.py", 483});
	TaskLoop served = loop_of({handler});
	served.framework = "gevent";
	CHECK_FALSE(judge_with(customers({client(60)}), served));
	CHECK(judge_with(customers({client(60), client(60)}), served));
	TaskLoop alone = loop_of({task(1, WaitsForKind::sleep)});
	alone.framework = "gevent";
	CHECK(judge_with(customers({client(60)}), alone));
}

TEST_CASE("standstill: an outgoing connection alone is an upstream") {
	auto connections = customers({});
	connections.silent.push_back({"10.0.0.1:5000", "10.0.0.2:80", std::nullopt, 600 * second, false});
	CHECK_FALSE(judge_sockets(connections));
	auto reads = task(1, WaitsForKind::socket);
	SocketResource socket;
	socket.remote = "10.0.0.2:80";
	reads.waits_for->resource = Resource(socket);
	CHECK_FALSE(judge_with(connections, loop_of({reads})));
}

TEST_CASE("standstill: tasks that wait for the customer, a moment, an event or a queue are where customers may be served") {
	for (const auto kind : {WaitsForKind::event, WaitsForKind::condition, WaitsForKind::queue_get, WaitsForKind::sleep,
	                        WaitsForKind::socket, WaitsForKind::process}) {
		CHECK_FALSE(judge_with(customers({client(60)}), loop_of({task(1, kind)})));
		CHECK_FALSE(judge_with(customers({client(60)}, 1), loop_of({task(1, kind)})));
	}
}

TEST_CASE("standstill: a library's future is most likely the customer's next message") {
	const auto reads = task(1, WaitsForKind::future, "/usr/lib/python3/dist-packages/aiohttp/web_protocol.py");
	CHECK_FALSE(judge_with(customers({client(60)}), loop_of({reads})));
}

TEST_CASE("standstill: workers that wait for jobs, pools and locks without any customer") {
	for (const auto kind : {WaitsForKind::lock, WaitsForKind::pool, WaitsForKind::executor, WaitsForKind::future}) {
		CHECK_FALSE(judge_with(customers({}), loop_of({task(1, kind), task(2, kind)})));
	}
}

TEST_CASE("standstill: a time-out ends the wait") {
	for (const auto kind : {WaitsForKind::executor, WaitsForKind::future, WaitsForKind::queue_put}) {
		auto timed = task(1, kind);
		timed.waits_for->ends_in_ns = 20 * second;
		CHECK_FALSE(judge_with(customers({client(60)}), loop_of({timed})));
	}
	auto held = task(1, WaitsForKind::pool); // he has waited all the same
	held.waits_for->ends_in_ns = 20 * second;
	CHECK(judge_with(customers({client(60)}, 1), loop_of({held})));
}

TEST_CASE("standstill: a contended lock changes hands") {
	const TaskLoop before = loop_of({task(1, WaitsForKind::lock)});
	const TaskLoop after = loop_of({task(2, WaitsForKind::lock), task(3, WaitsForKind::event)});
	LoopSituation situation = asleep(customers({client(12)}, 1));
	situation.tasks_before = &before;
	situation.tasks = &after;
	CHECK_FALSE(judge(situation, limits));
	TaskLoop changed = loop_of({task(1, WaitsForKind::lock), task(3, WaitsForKind::event)});
	changed.tasks.front().changed = true;
	situation.tasks = &changed;
	CHECK_FALSE(judge(situation, limits));
}

TEST_CASE("standstill: customers behind a lock, while others are answered") {
	for (const auto kind : {WaitsForKind::lock, WaitsForKind::semaphore, WaitsForKind::pool}) {
		const auto verdict = judge_with(customers({client(60)}, 1), loop_of({task(1, kind), task(2, WaitsForKind::sleep)}));
		REQUIRE(verdict);
		CHECK(verdict->kind == StandstillKind::no_answer);
		CHECK_FALSE(verdict->certain);
		CHECK(verdict->since_ns == now - 60 * second);
		CHECK(verdict->stuck == std::set<TaskId>{1});
	}
}

TEST_CASE("standstill: an executor that many patient tasks stand beside is no proof while others are answered") {
	const auto tasks = loop_of({task(1, WaitsForKind::executor), task(2, WaitsForKind::queue_get)});
	CHECK_FALSE(judge_with(customers({client(60)}, 1), tasks));
	CHECK(judge_with(customers({client(60)}), tasks));                // nobody is answered
	CHECK(judge_with(customers({client(60), client(50)}, 1), tasks)); // more wait than can be served so
}

TEST_CASE("standstill: a future of the application's own that nobody sets") {
	CHECK(judge_with(customers({client(60)}, 1), loop_of({task(1, WaitsForKind::future)})));
}

TEST_CASE("standstill: what a task awaits is what counts") {
	auto outer = task(1, WaitsForKind::task);
	outer.waits_for->tasks = {2};
	const auto verdict = judge_with(customers({client(60)}, 1), loop_of({outer, task(2, WaitsForKind::lock)}));
	REQUIRE(verdict);
	CHECK(verdict->stuck == std::set<TaskId>{1, 2});
	CHECK_FALSE(judge_with(customers({client(60)}, 1), loop_of({outer, task(2, WaitsForKind::event)})));
	auto several = task(1, WaitsForKind::tasks);
	several.waits_for->tasks = {2, 3};
	const auto mixed =
	    judge_with(customers({client(60)}), loop_of({several, task(2, WaitsForKind::executor), task(3, WaitsForKind::event)}));
	REQUIRE(mixed);
	CHECK(mixed->stuck == std::set<TaskId>{2});
}

TEST_CASE("standstill: tasks that were seen once are seen again first") {
	const TaskLoop tasks = loop_of({task(1, WaitsForKind::lock)});
	LoopSituation situation = asleep(customers({client(60)}));
	situation.tasks = &tasks;
	CHECK_FALSE(judge(situation, limits));
	situation.tasks_before = &tasks;
	CHECK(judge(situation, limits));
}

TEST_CASE("standstill: an upstream that is silent for as long") {
	auto reads = task(1, WaitsForKind::socket);
	SocketResource socket;
	socket.remote = "10.0.0.2:80";
	reads.waits_for->resource = Resource(socket);
	auto connections = customers({client(60)});
	CHECK_FALSE(judge_with(connections, loop_of({reads})));
	connections.silent.push_back({"10.0.0.1:5000", "10.0.0.2:80", std::nullopt, 60 * second, false});
	const auto verdict = judge_with(connections, loop_of({reads}));
	REQUIRE(verdict);
	CHECK(verdict->stuck == std::set<TaskId>{1});
}

TEST_CASE("standstill: nobody is answered and no task is left that could") {
	// The handler has died, say: a callback that forgot its customer.
	auto unknown = task(1, WaitsForKind::ready);
	unknown.waits_for.reset();
	CHECK(judge_with(customers({client(60)}), loop_of({unknown})));
	CHECK_FALSE(judge_with(customers({client(60)}, 1), loop_of({unknown})));
}

TEST_CASE("standstill: by the sockets alone") {
	const auto verdict = judge_sockets(customers({client(60), client(15)}));
	REQUIRE(verdict);
	CHECK(verdict->kind == StandstillKind::no_answer);
	CHECK_FALSE(verdict->certain);
	CHECK(verdict->since_ns == now - 60 * second);
	CHECK(judge_sockets(customers({client(60, Asked::watched), client(50, Asked::watched)})));
	CHECK(judge_sockets(customers({client(60)}, 61))); // the last answer was before
	auto one = customers({client(60, Asked::watched)});
	one.silent.push_back({"10.0.0.1:5000", "10.0.0.2:80", std::nullopt, 60 * second, false});
	CHECK(judge_sockets(one));
	LoopSituation pool = asleep(customers({client(60, Asked::watched)}));
	pool.pool_stuck = true;
	CHECK(judge(pool, limits));
}

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
	situation.always_ready = ReadyDescriptor{now - 12 * second, std::nullopt};
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

// SPDX-License-Identifier: Apache-2.0
// Customers who wait for an answer.
#include "analysis/standstill.h"

#include <utility>
#include <vector>

#include "catch.h"
#include "standstill_fixture.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::analysis::standstill_fixture;

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

TEST_CASE("standstill: one message on one connection that was answered before, without tasks to inspect") {
	CHECK_FALSE(judge_sockets(customers({client(60, Asked::watched)})));
}

TEST_CASE("standstill: long polls while others are answered, without tasks to inspect") {
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

TEST_CASE("standstill: tasks that cannot be read at this moment are read again before sockets alone count") {
	const TaskLoop before = loop_of({task(1, WaitsForKind::sleep)});
	LoopSituation situation;
	situation.now_ns = now;
	situation.connections = customers({client(60), client(60)});
	CHECK(judge(situation, limits));
	situation.tasks_before = &before;
	CHECK_FALSE(judge(situation, limits));
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
	auto awaits = task(1, WaitsForKind::task); // wait_for() up to 3.11 makes a task of what it waits for
	awaits.waits_for->tasks = {2};
	awaits.waits_for->ends_in_ns = 20 * second;
	CHECK_FALSE(judge_with(customers({client(60)}), loop_of({awaits, task(2, WaitsForKind::future)})));
	awaits.waits_for->ends_in_ns.reset();
	CHECK(judge_with(customers({client(60)}), loop_of({awaits, task(2, WaitsForKind::future)})));
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

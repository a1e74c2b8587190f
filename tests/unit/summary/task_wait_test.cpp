// SPDX-License-Identifier: Apache-2.0
#include "summary/task_wait.h"

#include <string>
#include <string_view>

#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::summary;

TEST_CASE("what a task waits for, in words") {
	WaitsFor wait;
	CHECK(format_task_wait(wait) == "waits for a future that nobody known will set");
	wait.kind = WaitsForKind::sleep;
	wait.ends_in_ns = 3'200'000'000;
	CHECK(format_task_wait(wait) == "sleeps, for another 3.20 s");
	wait.ends_in_ns = -5'000'000'000;
	CHECK(format_task_wait(wait).starts_with("sleeps, overdue by "));
	wait.kind = WaitsForKind::executor;
	wait.ends_in_ns.reset();
	wait.queued = true;
	CHECK(format_task_wait(wait) == "waits for a free worker thread: its call is queued");
	wait.queued = false;
	wait.tid = 12;
	wait.thread = "pool_0\x1b[2J";
	CHECK(format_task_wait(wait) == "waits for a call that thread 12 pool_0\\x1b[2J makes");
	wait.kind = WaitsForKind::lock;
	wait.type = "asyncio.Lock";
	wait.waiters = 2;
	CHECK(format_task_wait(wait) == "waits for asyncio.Lock, as 1 other does");
	CHECK(format_waits_for(wait) == "an asyncio.Lock");
}

TEST_CASE("a list and a sentence call what a task waits for by one name") {
	WaitsFor wait;
	const auto both = [&](std::string_view words) {
		CHECK(format_task_wait(wait) == "waits for " + std::string(words));
		CHECK(format_waits_for(wait) == words);
	};
	both("a future that nobody known will set");
	wait.kind = WaitsForKind::task;
	both("the end of another task");
	wait.kind = WaitsForKind::tasks;
	both("other tasks");
	wait.kind = WaitsForKind::semaphore;
	both("a semaphore");
	wait.kind = WaitsForKind::queue_put;
	both("room in a queue");
	wait.kind = WaitsForKind::executor;
	both("a call in a worker thread");
	wait.kind = WaitsForKind::process;
	both("the end of a child process");
	wait.resource = Resource{ProcessResource{4900, "git"}};
	both("the end of child git (pid 4900)");
	wait.kind = WaitsForKind::pool;
	wait.type = "asyncpg's pool";
	both("asyncpg's pool");
	wait.kind = WaitsForKind::queue_get;
	wait.type = "asyncio.Queue";
	CHECK(format_task_wait(wait) == "waits for something to come in asyncio.Queue");
	CHECK(format_waits_for(wait) == "something to come in an asyncio.Queue");
}

// SPDX-License-Identifier: Apache-2.0
#include "analysis/pool_wait.h"

#include "analysis/stalls.h"
#include "catch.h"
#include "summary/judged.h"
#include "summary/pool.h"
#include "summary/stall_summary.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::summary;
using namespace loopsnoop::analysis_test;

namespace {

std::vector<SourceFrame> in_pool(int line) {
	return {frame("Condition.wait", "/usr/lib/python3.11/threading.py", 324),
	        frame("Queue.get", "/usr/lib/python3/dist-packages/sqlalchemy/util/queue.py", 160),
	        frame("QueuePool._do_get", "/usr/lib/python3/dist-packages/sqlalchemy/pool/impl.py", 130),
	        frame("Session.get", "/usr/lib/python3/dist-packages/sqlalchemy/orm/session.py", 2848), application(line)};
}

ThreadView thread(std::uint32_t tid, std::string name, std::vector<SourceFrame> python) {
	ThreadView view;
	view.tid = tid;
	view.thread = std::move(name);
	view.stack.emplace().python = std::move(python);
	return view;
}

Stall pool_stall() {
	Stall stall;
	stall.duration_ns = 2'000'000'000;
	stall.ongoing = true;
	part_of(stall.breakdown, Cause::futex) = {stall.duration_ns, 1};
	stall.waits.push_back(wait(Cause::futex, "futex", 0, stall.duration_ns, in_pool(43)));
	stall.waits.back().resource = Resource{FutexResource{0x1000, LockKind::python_lock, std::nullopt, "queue.Queue"}};
	stall.cause = Cause::futex;
	stall.threads.emplace();
	return stall;
}

} // namespace

TEST_CASE("a pool that runs dry without anybody using it") {
	Stall stall = pool_stall();
	stall.threads->push_back(thread(2, "asyncio_0", {frame("_worker", "/usr/lib/python3.11/concurrent/futures/thread.py", 81)}));
	stall.pool = find_pool_wait(stall);
	REQUIRE(stall.pool.has_value());
	CHECK(stall.pool->pool == "SQLAlchemy's connection pool");
	CHECK(stall.pool->users.empty());
	judge_and_summarize(stall);
	CHECK(stall.summary == "blocked 2.00 s (still): waiting for SQLAlchemy's connection pool: its connections leaked, "
	                       "or their users wait for this loop (inferred) in handler (/srv/app/main.py:43)");
}

TEST_CASE("threads in the pool's library may have what is waited for; those that wait for it do not") {
	Stall stall = pool_stall();
	stall.threads->push_back(
	    thread(2, "report", {frame("do_execute", "/usr/lib/python3/dist-packages/sqlalchemy/default.py", 7), application(9)}));
	stall.threads->push_back(thread(3, "other", in_pool(50)));
	stall.pool = find_pool_wait(stall);
	REQUIRE(stall.pool.has_value());
	CHECK(stall.pool->users == std::vector<std::uint32_t>{2});
	CHECK(stall.pool->waiters == std::vector<std::uint32_t>{3});
	const std::string words = format_pool_wait(stall);
	CHECK(words.find(", as 1 other thread does, probably from report (tid 2) at main.py:9, which ") != std::string::npos);
}

TEST_CASE("other conditions are no pools") {
	Stall stall = pool_stall();
	stall.waits.back().stack->python = {frame("Condition.wait", "/usr/lib/python3.11/threading.py", 324),
	                                    frame("Queue.get", "/usr/lib/python3.11/queue.py", 180), application(3)};
	CHECK_FALSE(find_pool_wait(stall).has_value());
	CHECK(pool_of(*stall.waits.back().stack).empty());
	// A pool further out: what sleeps is a query.
	stall.waits.back().stack->python = in_pool(3);
	stall.waits.back().stack->python.erase(stall.waits.back().stack->python.begin());
	CHECK_FALSE(find_pool_wait(stall).has_value());
}

TEST_CASE("of a stall whose threads were not inspected the pool is named, no more") {
	Stall stall = pool_stall();
	stall.threads.reset();
	CHECK_FALSE(find_pool_wait(stall).has_value());
	judge_and_summarize(stall);
	CHECK(stall.summary.find("waiting for SQLAlchemy's connection pool in handler") != std::string::npos);
}

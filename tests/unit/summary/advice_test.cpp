// SPDX-License-Identifier: Apache-2.0
#include "summary/advice.h"

#include "analysis/stalls.h"
#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::summary;
using namespace loopsnoop::analysis_test;

namespace {

const SourceFrame of_asyncio = frame("Handle._run", "/usr/lib/python3.11/asyncio/events.py", 80);

Stall stall_of(Wait one) {
	Stall stall;
	stall.cause = one.cause;
	stall.duration_ns = one.duration_ns;
	stall.waits.push_back(std::move(one));
	return stall;
}

// What the application's line on a loop called, innermost first.
Stall in_library(Cause cause, const char *file) {
	return stall_of(wait(cause, "recvfrom", 0, 300'000'000, {frame("call", file, 1), application(7), of_asyncio}));
}

bool says(const Stall &stall, const char *text) {
	const auto advice = advice_for(stall);
	return advice && advice->find(text) != std::string::npos;
}

} // namespace

TEST_CASE("what the application's line called decides the advice") {
	const std::string packages = "/usr/lib/python3/dist-packages";
	CHECK(says(in_library(Cause::socket, (packages + "/redis/client.py").c_str()), "redis.asyncio"));
	CHECK(says(in_library(Cause::poll, (packages + "/sqlalchemy/engine/base.py").c_str()), "SQLAlchemy's asyncio API"));
	CHECK(says(in_library(Cause::socket, (packages + "/pymysql/connections.py").c_str()), "async driver"));
	CHECK(says(in_library(Cause::socket, (packages + "/requests/api.py").c_str()), "synchronous HTTP request"));
	CHECK(says(in_library(Cause::pipe, "/usr/lib/python3.11/subprocess.py"), "create_subprocess_exec"));
	CHECK(says(in_library(Cause::pipe, "/usr/lib/python3.11/logging/__init__.py"), "QueueHandler"));
	CHECK(says(in_library(Cause::file_io, "/srv/app/files.py"), "asyncio.to_thread"));
	CHECK(says(in_library(Cause::socket, "/srv/app/net.py"), "blocking socket call"));
}

TEST_CASE("a library outside of the application's line is none of its doing") {
	// A web framework that has a folder of that name, say.
	Stall stall = stall_of(wait(Cause::socket, "recvfrom", 0, 300'000'000,
	                            {application(7), frame("run", "/srv/lib/site-packages/redis/worker.py", 3), of_asyncio}));
	CHECK(says(stall, "blocking socket call"));
}

TEST_CASE("no advice about loops where there is none") {
	CHECK_FALSE(advice_for(stall_of(wait(Cause::sleep, "clock_nanosleep", 0, 300'000'000, {application(7)}))));
	Stall stall = in_library(Cause::socket, "/usr/lib/python3/dist-packages/redis/client.py");
	stall.no_loop_yet = true;
	CHECK_FALSE(advice_for(stall));
	stall = stall_of(wait(Cause::socket, "recvfrom", 0, 300'000'000, {}));
	CHECK_FALSE(advice_for(stall));
	CHECK_FALSE(advice_for(Stall{}));
}

TEST_CASE("who sleeps: the application, or a library") {
	CHECK(says(stall_of(wait(Cause::sleep, "clock_nanosleep", 0, 300'000'000, {application(7), of_asyncio})),
	           "await asyncio.sleep()"));
	CHECK(says(in_library(Cause::sleep, "/srv/lib/site-packages/retry.py"), "a library sleeps"));
}

TEST_CASE("what a lock is called") {
	Wait one = wait(Cause::futex, "futex", 0, 300'000'000, {application(7), of_asyncio});
	FutexResource lock;
	lock.lock = LockKind::python_lock;
	for (const auto &[type, text] :
	     {std::pair{"logging.Handler.lock", "QueueHandler"}, std::pair{"concurrent.futures.Future", "wrap_future"},
	      std::pair{"threading.Thread", "thread.join"}, std::pair{"queue.Queue", "asyncio.Queue"}}) {
		lock.type = type;
		one.resource = Resource{lock};
		CHECK(says(stall_of(one), text));
	}
	lock.type = "threading.Lock"; // what to do depends on what it is for
	one.resource = Resource{lock};
	CHECK_FALSE(advice_for(stall_of(one)));
}

TEST_CASE("native frames: DNS, SQLite, Node") {
	Wait one = wait(Cause::socket, "poll", 0, 300'000'000, {application(7), of_asyncio});
	one.stack->native = {{"poll", "/lib/libc.so.6", 1, {}, {}}, {"getaddrinfo", "/lib/libc.so.6", 2, {}, {}}};
	CHECK(says(stall_of(one), "DNS"));
	one.stack->native = {{"x", "/usr/lib/python3.11/lib-dynload/_sqlite3.cpython-311-x86_64-linux-gnu.so", 1, {}, {}}};
	CHECK(says(stall_of(one), "SQLite"));
	Wait node = wait(Cause::poll, "epoll_pwait", 0, 300'000'000, {});
	node.stack.emplace();
	node.stack->native = {{"epoll_pwait", "/lib/libc.so.6", 1, {}, {}},
	                      {"uv_run", "/usr/bin/node", 2, {}, {}},
	                      {"node::SyncProcessRunner::Spawn(v8::X)", "/usr/bin/node", 3, {}, {}},
	                      {"uv_run", "/usr/bin/node", 2, {}, {}}};
	CHECK(says(stall_of(node), "execSync"));
	node.cause = Cause::pipe;
	node.stack->native[2].function = "node::fs::Open(v8::X)";
	CHECK(says(stall_of(node), "fs.promises"));
}

TEST_CASE("computing") {
	Stall stall;
	stall.cause = Cause::cpu;
	Stack stack;
	stack.python = {application(3), of_asyncio};
	stall.cpu = {{10, 50'000'000, stack}};
	CHECK(says(stall, "ProcessPoolExecutor"));
	stall.cpu.front().stack.python.pop_back();
	CHECK_FALSE(advice_for(stall));
}

TEST_CASE("who computes in a worker thread already is not sent to one") {
	Stall stall;
	stall.cause = Cause::cpu;
	Stack stack;
	for (const char *function : {"uv_run", "node::SpinEventLoop(node::Environment*)"}) {
		stack.native.push_back(NativeFrame{function, "/usr/bin/node", 0, std::nullopt, std::nullopt});
	}
	stall.cpu = {{10, 50'000'000, stack}};
	CHECK(says(stall, "node:worker_threads"));
	stall.cpu.front().stack.native.push_back(
	    NativeFrame{"node::worker::Worker::Run()", "/usr/bin/node", 0, std::nullopt, std::nullopt});
	CHECK(says(stall, "more workers"));
	CHECK_FALSE(says(stall, "node:worker_threads"));
}

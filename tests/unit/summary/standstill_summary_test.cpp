// SPDX-License-Identifier: Apache-2.0
#include "summary/standstill_summary.h"

#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::summary;

namespace {

constexpr std::uint64_t second = 1'000'000'000;

Standstill of_kind(StandstillKind kind) {
	Standstill standstill;
	standstill.ongoing = true;
	standstill.kind = kind;
	standstill.duration_ns = 12 * second;
	standstill.clients.unanswered = 8;
	standstill.clients.oldest_ns = 12'400'000'000;
	return standstill;
}

WaitsFor waits(WaitsForKind kind, std::string type) {
	WaitsFor what;
	what.kind = kind;
	what.type = std::move(type);
	return what;
}

TaskGroup group(std::uint64_t count, SourceFrame culprit, WaitsFor what) {
	TaskGroup one;
	one.count = count;
	one.names = {"Task-1"};
	one.culprit = std::move(culprit);
	one.waits_for = std::move(what);
	return one;
}

} // namespace

TEST_CASE("summary: a pool whose connections are held by those who wait for an upstream") {
	auto standstill = of_kind(StandstillKind::no_answer);
	WaitsFor pool = waits(WaitsForKind::pool, "asyncpg's pool");
	pool.holders = {{1, "export-1", SourceFrame{"export", "/srv/shop/jobs.py", 88}}};
	standstill.tasks.push_back(group(104, {"article", "/srv/shop/api.py", 47}, pool));
	SocketResource socket;
	socket.protocol = "tcp";
	socket.remote = "10.1.2.3:443";
	WaitsFor answer = waits(WaitsForKind::socket, "");
	answer.resource = Resource(socket);
	standstill.tasks.push_back(group(1, {"export", "/srv/shop/jobs.py", 88}, answer));
	standstill.upstream.push_back({"10.0.0.1:40000", "10.1.2.3:443", std::nullopt, 1380 * second, false});
	CHECK(
	    summarize(standstill) ==
	    "not serving for 12.0 s (still): the loop is idle, 8 customers wait, the oldest for 12.4 s; 104 tasks wait for asyncpg's "
	    "pool in article (/srv/shop/api.py:47), probably held by export (/srv/shop/jobs.py:88), which waits for an answer from "
	    "10.1.2.3:443, silent for 23 min 00 s");
	// uvloop's sockets cannot be read.
	standstill.tasks.back().waits_for->resource.reset();
	CHECK(summarize(standstill)
	          .ends_with(
	              "export (/srv/shop/jobs.py:88), which waits for a socket, probably to 10.1.2.3:443, silent for 23 min 00 s"));
	standstill.upstream.push_back({"10.0.0.1:40002", "10.1.2.4:443", std::nullopt, 1000 * second, false});
	CHECK(summarize(standstill).ends_with("export (/srv/shop/jobs.py:88), which waits for a socket"));
	CHECK(culprit_of(standstill)->line == 47);
	CHECK(advice_for(standstill)->find("time-out") != std::string::npos);
}

TEST_CASE("summary: several holders, by the place where most of them stand") {
	auto standstill = of_kind(StandstillKind::no_answer);
	WaitsFor pool = waits(WaitsForKind::pool, "asyncpg's pool");
	const TaskHolder exports{1, "export-1", SourceFrame{"export", "/srv/shop/jobs.py", 88}};
	const TaskHolder imports{2, "import-1", SourceFrame{"load", "/srv/shop/jobs.py", 40}};
	const auto said = [&](std::vector<TaskHolder> holders) {
		pool.holders = std::move(holders);
		standstill.tasks = {group(104, {"article", "/srv/shop/api.py", 47}, pool)};
		const std::string text = summarize(standstill);
		return text.substr(text.find(", probably"));
	};
	CHECK(said({imports, exports, exports}) == ", probably held by 3 tasks, most of them in export (/srv/shop/jobs.py:88)");
	CHECK(said({exports, exports}) == ", probably held by 2 tasks in export (/srv/shop/jobs.py:88)");
	CHECK(said(std::vector<TaskHolder>(max_holders, exports)) ==
	      ", probably held by 16 tasks or more in export (/srv/shop/jobs.py:88)");
}

TEST_CASE("summary: all workers of an executor are taken") {
	auto standstill = of_kind(StandstillKind::no_answer);
	WaitsFor call = waits(WaitsForKind::executor, "an executor");
	const SourceFrame fetch{"fetch", "/srv/shop/jobs.py", 12};
	call.executor = Executor{5, 5, 3, {{5, fetch, {21, 22}}}};
	const auto said = [&] {
		standstill.tasks = {group(8, {"article", "/srv/shop/api.py", 47}, call)};
		const std::string text = summarize(standstill);
		const std::size_t at = text.find("; ", text.find("api.py:47"));
		return at == std::string::npos ? std::string() : text.substr(at);
	};
	CHECK(said() == "; all 5 workers of the executor are in fetch (/srv/shop/jobs.py:12)");
	ThreadView thread;
	thread.tid = 21;
	thread.syscall = "recvfrom";
	SocketResource socket;
	socket.protocol = "tcp";
	socket.remote = "10.1.2.3:443";
	thread.resource = Resource(socket);
	ThreadView other = thread;
	other.tid = 22;
	standstill.threads = {thread, other};
	CHECK(said() == "; all 5 workers of the executor are in recvfrom() on 10.1.2.3:443 at fetch (/srv/shop/jobs.py:12)");
	other.resource.reset();
	standstill.threads = {thread, other};
	CHECK(said() == "; all 5 workers of the executor are in recvfrom() at fetch (/srv/shop/jobs.py:12)");
	other.syscall = "futex";
	standstill.threads = {thread, other};
	CHECK(said() == "; all 5 workers of the executor are in fetch (/srv/shop/jobs.py:12)");
	standstill.threads = {thread}; // the other is not known
	CHECK(said() == "; all 5 workers of the executor are in fetch (/srv/shop/jobs.py:12)");
	call.executor->places.front().count = 3;
	CHECK(said() == "; all 5 workers of the executor are busy, 3 of them in fetch (/srv/shop/jobs.py:12)");
	CHECK(advice_for(standstill)->starts_with("all worker threads are taken"));
	call.executor->busy = 4;
	CHECK(said().empty());
	CHECK(advice_for(standstill)->starts_with("put a time-out on what the worker thread does"));
	call.executor = Executor{1, 1, 0, {{1, fetch, {}}}};
	standstill.ongoing = false;
	CHECK(said() == "; the one worker of the executor was in fetch (/srv/shop/jobs.py:12)");
}

TEST_CASE("summary: nothing but sockets is known") {
	auto standstill = of_kind(StandstillKind::no_answer);
	CHECK(summarize(standstill) ==
	      "not serving for 12.0 s (still): the loop is idle, 8 customers wait, the oldest for 12.4 s, probably in "
	      "vain: nobody has got a byte meanwhile");
	CHECK_FALSE(advice_for(standstill));
	standstill.upstream.push_back({"10.0.0.1:40000", "10.1.2.3:443", Peer{7, "payments"}, 15 * second, false});
	CHECK(summarize(standstill).ends_with("; it has waited for an answer from 10.1.2.3:443 (payments, pid 7) for 15.0 s"));
}

TEST_CASE("summary: what has ended is in the past, and what goes on when the session ends is not") {
	auto standstill = of_kind(StandstillKind::no_answer);
	standstill.ongoing = false;
	standstill.tasks.push_back(group(2, {"article", "/srv/shop/api.py", 47}, waits(WaitsForKind::lock, "asyncio.Lock")));
	CHECK(summarize(standstill) ==
	      "did not serve for 12.0 s: the loop was idle, 8 customers waited, the oldest for 12.4 s; 2 tasks waited for an "
	      "asyncio.Lock in article (/srv/shop/api.py:47)");
	standstill.goes_on = true;
	CHECK(summarize(standstill)
	          .starts_with("not serving for 12.0 s (not over when loopsnoop stopped): the loop is idle, 8 customers wait, "));
	standstill.goes_on = false;
	standstill.kind = StandstillKind::not_accepted;
	standstill.clients = {};
	standstill.clients.not_accepted = 1;
	CHECK(summarize(standstill) ==
	      "did not serve for 12.0 s: the loop slept while 1 connection waited to be accepted, the oldest for 12.0 s");
	standstill.kind = StandstillKind::lost_wakeup;
	standstill.ready = ReadyQueue{1, {}, std::nullopt};
	CHECK(summarize(standstill).starts_with("stood still for 12.0 s: the loop slept although 1 callback was queued"));
}

TEST_CASE("summary: libuv's pool is in getaddrinfo") {
	auto standstill = of_kind(StandstillKind::no_answer);
	ThreadView worker;
	worker.tid = 5;
	worker.stack.emplace();
	worker.stack->native.push_back({"getaddrinfo", "/lib/libc.so.6", 0, std::nullopt, std::nullopt});
	worker.stack->native.push_back({std::nullopt, "/usr/lib/x86_64-linux-gnu/libuv.so.1.0.0", 0, std::nullopt, std::nullopt});
	SocketResource socket;
	socket.protocol = "udp";
	socket.remote = "127.0.0.1:53";
	worker.resource = Resource(socket);
	ThreadView other;
	other.tid = 6;
	standstill.threads = std::vector<ThreadView>{worker, worker, other};
	CHECK(summarize(standstill)
	          .ends_with("; 2 threads of libuv's pool are in getaddrinfo() on udp 127.0.0.1:53, as many as may be: every other "
	                     "look-up of a name waits behind them"));
	CHECK_FALSE(find_stuck_pool({other}));
	CHECK_FALSE(find_stuck_pool({worker, other})); // another one can resolve names
	worker.thread = other.thread = "libuv-worker";
	CHECK(find_stuck_pool({worker, other})); // of two threads one may
	CHECK_FALSE(find_stuck_pool({worker, other, other}));
	worker.stack->native.back().module = "/usr/bin/java";
	CHECK_FALSE(find_stuck_pool({worker, worker})); // nobody's pool that is known
}

TEST_CASE("summary: callbacks that nobody runs") {
	auto standstill = of_kind(StandstillKind::lost_wakeup);
	standstill.clients = {};
	standstill.certain = true;
	standstill.ready = ReadyQueue{2, {{SourceFrame{"Future.set", "/srv/app.py", 9}, std::nullopt}}, std::nullopt};
	CHECK(summarize(standstill) ==
	      "standing still for 12.0 s (still): the loop sleeps although 2 callbacks are queued, first Future.set "
	      "(/srv/app.py:9): another thread probably queued it without waking the loop");
	CHECK(advice_for(standstill)->find("call_soon_threadsafe") != std::string::npos);
	standstill.ready = ReadyQueue{0, {}, 3 * second};
	CHECK(summarize(standstill).find("a timer was due 3.00 s ago") != std::string::npos);
}

TEST_CASE("summary: connections that nobody accepts, and a loop that spins") {
	auto standstill = of_kind(StandstillKind::not_accepted);
	standstill.clients = {};
	standstill.clients.not_accepted = 3;
	standstill.clients.oldest_ns = 40 * second;
	CHECK(summarize(standstill) ==
	      "not serving for 12.0 s (still): the loop sleeps while 3 connections wait to be accepted, the oldest for 40.0 s");
	standstill.kind = StandstillKind::spin;
	SocketResource socket;
	socket.protocol = "tcp";
	socket.remote = "10.1.2.3:443";
	socket.state = "CLOSE_WAIT";
	socket.fd = 9;
	standstill.spin = Spin{230'863, Resource(socket)};
	CHECK(summarize(standstill) ==
	      "standing still for 12.0 s (still): the loop goes round 230863 times a second without sleeping, probably "
	      "for tcp 10.1.2.3:443 (fd 9), CLOSE_WAIT, which stays ready");
}

TEST_CASE("who waits, in words") {
	Clients clients;
	CHECK(format_clients(clients).empty());
	clients.unanswered = 1;
	clients.oldest_ns = 3'200'000'000;
	CHECK(format_clients(clients) == "1 customer waits, for 3.20 s");
	clients.not_accepted = 2;
	clients.gave_up = 4;
	CHECK(format_clients(clients) == "1 customer waits, 2 connections are not accepted yet, the oldest for 3.20 s, 4 gave up");
}

// SPDX-License-Identifier: Apache-2.0
#include "output/dump_text.h"

#include <nlohmann/json.hpp>

#include "catch.h"
#include "examples.h"
#include "output/chain_text.h"
#include "output/json.h"

using namespace loopsnoop;
using namespace loopsnoop::output;
using namespace loopsnoop::output::examples;

namespace {

std::vector<std::vector<std::uint32_t>> tids_of(const std::vector<ThreadGroup> &groups) {
	std::vector<std::vector<std::uint32_t>> tids;
	for (const ThreadGroup &group : groups) {
		auto &one = tids.emplace_back();
		for (const ThreadView *thread : group) {
			one.push_back(thread->tid);
		}
	}
	return tids;
}

} // namespace

TEST_CASE("the threads that matter most come first, and those that are alike are one group") {
	CHECK(tids_of(in_shown_order(dump())) == std::vector<std::vector<std::uint32_t>>{
	                                             {4712}, {4713}, {4716}, {4711}, {4718}, {4730}, {4720, 4721, 4722, 4723, 4724}});
	Dump no_deadlock = dump();
	no_deadlock.deadlock.reset();
	CHECK(in_shown_order(no_deadlock).size() == 7);
	CHECK(in_shown_order(Dump{}).empty());
}

TEST_CASE("threads that differ in their state or their stack are shown apart") {
	Dump two;
	two.pid = 1;
	ThreadView thread;
	thread.tid = 2;
	thread.stack = Stack{{}, {}, {{"read", "/usr/lib/libc.so.6", 0x10, {}, {}}}, {}, false};
	two.threads.push_back(thread);
	thread.tid = 3;
	two.threads.push_back(thread);
	CHECK(in_shown_order(two).size() == 1);
	two.threads[1].stack->native[0].offset = 0x14;
	CHECK(in_shown_order(two).size() == 2);
	two.threads[1] = two.threads[0];
	two.threads[1].state = ThreadView::State::stopped;
	CHECK(in_shown_order(two).size() == 2);
	two.threads[1] = two.threads[0];
	two.threads[1].moved = true;
	CHECK(in_shown_order(two).size() == 2);
}

TEST_CASE("a dump in words") {
	CHECK(dump_text(dump(), {}) ==
	      "uvicorn (pid 4711): 11 threads, " + started_at(begin) +
	          "\n"
	          "  deadlock: 4712 (A) → 4713 (B) → 4712\n"
	          "    A (tid 4712) waits for a mutex (0x3000) held by\n"
	          "      B (tid 4713) at bank.py:30, which waits for a mutex (0x4000) held by\n"
	          "        A (tid 4712), see above\n"
	          "\n"
	          "4712 A: sleeping in futex() on mutex 0x3000, held by B (tid 4713), holds up 3 threads\n"
	          "\n"
	          "4713 B: sleeping in futex() on mutex 0x4000, held by A (tid 4712), holds up 3 threads\n"
	          "  > transfer  /srv/app/bank.py:30\n"
	          "\n"
	          "4716 waits: sleeping in futex() on mutex 0x2000, held by A (tid 4712), holds up 1 thread\n"
	          "\n"
	          "4711 uvicorn (main thread): sleeping in futex() on mutex 0x1000, held by waits (tid 4716)\n"
	          "\n"
	          "4718 busy: running, holds the GIL\n"
	          "    no stack: it was not asleep\n"
	          "\n"
	          "4730 alone: sleeping in clock_nanosleep(), requested 5.00 s, ran on while it was inspected\n"
	          "\n"
	          "5 threads like this (4720 pool_0, 4721 pool_1, 4722 pool_2, 4723 pool_3, …): sleeping in futex() on queue.Queue "
	          "0x9000\n"
	          "    Queue.get  /usr/lib/python3.11/queue.py:171\n");
}

TEST_CASE("a stack that was sampled says so, and a thread without one why") {
	Dump computes;
	computes.pid = 1;
	const auto add = [&](std::uint32_t tid) -> ThreadView & {
		ThreadView &thread = computes.threads.emplace_back();
		thread.tid = tid;
		thread.thread = "t" + std::to_string(tid);
		thread.state = ThreadView::State::running;
		return thread;
	};
	ThreadView &sampled = add(1);
	sampled.sampled = true;
	sampled.stack = Stack{{}, {}, {{"sort", "/srv/app", 0x10, {}, {}}}, {}, false};
	add(2).no_stack = NoStack::refused;
	add(3).no_stack = NoStack::not_run;
	add(4).no_stack = NoStack::too_many;
	add(5).no_stack = NoStack::too_many;
	const std::string text = dump_text(computes, {});
	CHECK(text.find("1 t1 (main thread): running, sampled while it computed\n  > sort  /srv/app") != std::string::npos);
	CHECK(text.find("no stack: the kernel refused to sample it") != std::string::npos);
	CHECK(text.find("no stack: it was not asleep, and did not run while it was sampled") != std::string::npos);
	CHECK(text.find("2 threads like this (4 t4, 5 t5): running\n    no stack: more threads compute than are sampled") !=
	      std::string::npos);
	const auto json = nlohmann::json::parse(to_json_line(computes));
	CHECK(json["threads"][0]["sampled"] == true);
	CHECK_FALSE(json["threads"][0].contains("no_stack"));
	CHECK_FALSE(json["threads"][1].contains("sampled"));
	CHECK(json["threads"][1]["no_stack"] == "refused");
	CHECK(json["threads"][2]["no_stack"] == "not_run");
	CHECK(json["threads"][3]["no_stack"] == "too_many");
}

TEST_CASE("verbose names every thread of a group; hostile names do no harm") {
	Dump all = dump();
	all.comm = "a\x1b[2J";
	all.threads[0].thread = "evil\n\x1b[31m";
	const std::string text = dump_text(all, {Palette{}, true});
	CHECK(text.find("like this") == std::string::npos);
	CHECK(text.find("4724 pool_4: sleeping") != std::string::npos);
	CHECK(text.find('\x1b') == std::string::npos);
	CHECK(text.find("evil\\x0a") != std::string::npos);
}

TEST_CASE("a dump as JSON is one record with every thread") {
	const auto json = nlohmann::json::parse(to_json_line(dump()));
	CHECK(json["type"] == "dump");
	CHECK(json["schema"] == 1);
	CHECK(json["pid"] == 4711);
	CHECK(json["threads"].size() == 11);
	CHECK(json["deadlock"] == std::vector<std::uint32_t>{4712, 4713});
	CHECK(json["look_ns"] == 3 * ms);
	CHECK(json["threads"][5]["moved"] == true);
	CHECK_FALSE(json["threads"][0].contains("moved"));
	CHECK_FALSE(nlohmann::json::parse(to_json_line(Dump{})).contains("deadlock"));
}

TEST_CASE("a recording with a dump is shown as the dump was") {
	Written out;
	out.report.write(dump());
	out.report.finish();
	CHECK(out.text() == dump_text(dump(), {}));
}

TEST_CASE("a very long chain is cut") {
	std::vector<ThreadView> threads(100);
	std::vector<const ThreadView *> links;
	for (std::uint32_t i = 0; i < threads.size(); i++) {
		threads[i].tid = i + 1;
		threads[i].resource = Resource{FutexResource{0x10, LockKind::unknown, Holder{i + 2, "x", false}}};
		links.push_back(&threads[i]);
	}
	const std::string text = chain_lines(links, "");
	CHECK(text.ends_with("… 76 more threads\n"));
	CHECK(chain_lines({}, "").empty());
}

TEST_CASE("only what waits for the same thing is one group") {
	Dump two;
	two.pid = 1;
	ThreadView thread;
	thread.syscall = "recvfrom";
	thread.cause = Cause::socket;
	thread.stack.emplace().python = {{"fetch", "/srv/app.py", 4}};
	for (std::uint32_t i = 0; i < 3; i++) {
		thread.tid = 2 + i;
		thread.resource = Resource{
		    SocketResource{5, "tcp", "127.0.0.1:1", i == 2 ? "127.0.0.1:9001" : "127.0.0.1:9000", {}, "ESTABLISHED", {}}};
		two.threads.push_back(thread);
	}
	CHECK(tids_of(in_shown_order(two)) == std::vector<std::vector<std::uint32_t>>{{4}, {2, 3}});
}

TEST_CASE("threads that wait for work come last, native ones in a line") {
	Dump dump;
	dump.pid = 1;
	ThreadView thread;
	thread.tid = 7;
	thread.thread = "V8Worker";
	thread.cause = Cause::futex;
	thread.syscall = "futex";
	thread.stack.emplace().native = {{"pthread_cond_wait", "/usr/lib/libc.so.6", 0x10, {}, {}}};
	dump.threads = {thread, thread, thread};
	dump.threads[1].tid = 8;
	dump.threads[2].tid = 9;
	dump.threads[2].stack->native = {{"shop::wait()", "/srv/shop", 0x10, {}, {}}};
	CHECK(in_shown_order(dump).front().front()->tid == 9);
	const std::string text = dump_text(dump, StallStyle{});
	CHECK(text.find("2 threads wait for work: V8Worker ×2 (-v shows them)") != std::string::npos);
	CHECK(text.find("7 V8Worker") == std::string::npos);
	CHECK(dump_text(dump, StallStyle{{}, true}).find("7 V8Worker") != std::string::npos);
}

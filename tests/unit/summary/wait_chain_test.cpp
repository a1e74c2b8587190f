// SPDX-License-Identifier: Apache-2.0
#include "summary/wait_chain.h"

#include "analysis/stalls.h"
#include "analysis/threads.h"
#include "analysis/wait_graph.h"
#include "base/columns.h"
#include "catch.h"
#include "summary/judged.h"
#include "summary/place.h"
#include "summary/resource.h"
#include "summary/stall_summary.h"
#include "summary/wait.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::summary;
using namespace loopsnoop::analysis_test;

namespace {

ThreadView writes_to_full_pipe(std::uint32_t tid, std::string name) {
	ThreadView thread = idle(tid, std::move(name));
	thread.cause = Cause::pipe;
	thread.syscall = "write";
	thread.resource = Resource{PipeResource{1, std::nullopt, Peer{980, "fluentd"}}};
	return thread;
}

// A loop thread with tid 1 that waits for a mutex of thread 2.
Stall stuck(std::vector<ThreadView> threads) {
	Stall stall;
	stall.ongoing = true;
	stall.tid = 1;
	stall.thread = "MainThread";
	stall.duration_ns = 41'000'000'000;
	part_of(stall.breakdown, Cause::futex) = {stall.duration_ns, 1};
	Wait one = wait(Cause::futex, "futex", 0, stall.duration_ns, {application(30)});
	one.ongoing = true;
	one.resource = waits_for(1, "MainThread", 2).resource;
	stall.waits.push_back(std::move(one));
	stall.threads = std::move(threads);
	return stall;
}

} // namespace

TEST_CASE("the summary follows the holder down to the pipe and who does not read it") {
	Stall stall = stuck({writes_to_full_pipe(2, "t2")});
	judge_and_summarize(stall);
	CHECK(stall.summary ==
	      "blocked 41.0 s (still): waits for a mutex held by t2 (tid 2), which is in write() to a full pipe read by "
	      "fluentd (pid 980); in handler (/srv/app/main.py:30)");
}

TEST_CASE("a headline without room says who waits, the ends of the chain and whose task last, and its line always") {
	Stall stall = stuck({writes_to_full_pipe(2, "t2")});
	stall.task = StallTask{0x7f00, "Task-10", "health"};
	stall.clients = Clients{};
	stall.clients->unanswered = 1;
	stall.clients->oldest_ns = 2'000'000'000;
	stall.peer = PeerSnapshot{980, "fluentd", true, idle(980, "fluentd")};
	judge_and_summarize(stall);
	const std::string chain =
	    "blocked 41.0 s (still): waits for a mutex held by t2 (tid 2), which is in write() to a full pipe read by "
	    "fluentd (pid 980)";
	const std::string waits = ", which itself waits for an answer from this process";
	const std::string place = "; in handler (/srv/app/main.py:30)";
	const auto said = [&](std::size_t columns) { return format_headline(stall, columns).text; };
	CHECK(stall.summary == chain + waits + place + ", in task Task-10; 1 customer waits, for 2.00 s");
	CHECK(format_headline(stall).whole);
	CHECK(said(400) == stall.summary);
	CHECK(said(250) == chain + waits + place + "; 1 customer waits, for 2.00 s");
	CHECK(said(232) == chain + waits + place);
	CHECK(said(200) == chain + ", …" + place);
	CHECK_FALSE(format_headline(stall, 200).whole);
	stall.task->name = "orders";
	judge_and_summarize(stall);
	CHECK(said(130) == "blocked 41.0 s (still): waits for a mutex held by t2 (tid 2), …" + place + ", in task orders");
	CHECK(said(108) == "blocked 41.0 s (still): waits for a mutex held by t2 (tid 2), …; in handler (/srv/app/main.py:30)");
}

TEST_CASE("a headline without room for its words keeps its line") {
	Stall stall = stuck({writes_to_full_pipe(2, "t2")});
	stall.no_end = NoEnd::only_thread;
	judge_and_summarize(stall);
	const std::string place = "in handler (/srv/app/main.py:30)";
	CHECK(stall.summary.ends_with("; " + place + "; no other thread can end this: the process has only this one"));
	for (const std::size_t columns : {140U, 100U, 80U, 60U}) {
		INFO(columns);
		const std::string text = format_headline(stall, columns).text;
		INFO(text);
		CHECK(columns_of(text) <= columns);
		CHECK(text.starts_with("blocked 41.0 s (still)"));
		CHECK(text.find(place) != std::string::npos);
	}
	CHECK(format_headline(stall, 140).text.ends_with(place + "; no other thread can end this"));
}

TEST_CASE("what a line for many stalls keeps of one with many callbacks") {
	Stall stall;
	CHECK(format_finding(stall).empty());
	stall.callbacks = 2600;
	CHECK(format_finding(stall) == ", in 2,600 or more callbacks of one iteration");
}

TEST_CASE("a deadlock is shown as one, each thread with its line") {
	Stall stall = stuck({at(waits_for(2, "B", 1), "/srv/app/app.py", 12)});
	stall.deadlock = std::vector<std::uint32_t>{1, 2};
	judge_and_summarize(stall);
	CHECK(stall.summary ==
	      "blocked 41.0 s (still): deadlock: MainThread (tid 1) waits for a mutex held by t2 (tid 2) at app.py:12, which "
	      "waits for a mutex held by t1 (tid 1) at main.py:30; in handler (/srv/app/main.py:30)");
	Stall outside = stuck({waits_for(2, "B", 3), waits_for(3, "C", 2)});
	outside.deadlock = std::vector<std::uint32_t>{2, 3};
	judge_and_summarize(outside);
	CHECK(outside.summary.find("held up by a deadlock: waits for a mutex held by t2 (tid 2), which waits for") !=
	      std::string::npos);
	Stall elsewhere = stuck({idle(2, "B"), waits_for(3, "C", 4), waits_for(4, "D", 3)});
	elsewhere.deadlock = std::vector<std::uint32_t>{3, 4};
	judge_and_summarize(elsewhere);
	CHECK(elsewhere.summary.find("deadlock") == std::string::npos);
}

TEST_CASE("a guess is called one, and a holder that is no thread of the process is shown as that") {
	const std::vector<ThreadView> guess{waits_for(1, "a", 2, true), idle(2, "b")};
	CHECK(format_wait_chain(WaitGraph(guess).chain(1)) ==
	      "waits for a mutex probably held by t2 (tid 2), which is waiting in the kernel");
	const std::vector<ThreadView> gone{waits_for(1, "a", 2)};
	CHECK(format_wait_chain(WaitGraph(gone).chain(1)) ==
	      "waits for a mutex held by t2 (tid 2), which is no thread of this process");
	const std::vector<ThreadView> none{idle(1, "a")};
	CHECK(format_wait_chain(WaitGraph(none).chain(1)).empty());
}

TEST_CASE("the state of the last one says what it does") {
	ThreadView last = idle(2, "b");
	last.state = ThreadView::State::running;
	CHECK(format_activity(last) == "is running");
	last.state = ThreadView::State::runnable;
	CHECK(format_activity(last) == "is ready to run, but has no CPU");
	last.state = ThreadView::State::stopped;
	CHECK(format_activity(last) == "is stopped by a signal, a debugger or the freezer");
	last.state = ThreadView::State::sleeping;
	last.moved = true;
	CHECK(format_activity(last) == "ran on while it was inspected");
	last.moved = false;
	last.cause = Cause::sleep;
	last.resource = Resource{TimerResource{5'000'000'000}};
	CHECK(format_activity(last) == "is sleeping (5.00 s asked for)");
}

TEST_CASE("a long chain is cut in its middle, and its end is shown") {
	std::vector<ThreadView> threads;
	for (std::uint32_t tid = 1; tid < 20; tid++) {
		threads.push_back(waits_for(tid, "t", tid + 1));
	}
	threads.push_back(writes_to_full_pipe(20, "t20"));
	const std::string text = format_wait_chain(WaitGraph(threads).chain(1));
	CHECK(text.find("held by t2 (tid 2)") != std::string::npos);
	CHECK(text.find("14 more threads") != std::string::npos);
	CHECK(text.ends_with("which is in write() to a full pipe read by fluentd (pid 980)"));
	CHECK(text.size() < 500);
}

TEST_CASE("a wait that is over is not shown with what the others do now") {
	Stall stall = stuck({writes_to_full_pipe(2, "t2")});
	stall.ongoing = false;
	stall.waits.front().ongoing = false;
	judge_and_summarize(stall);
	CHECK(stall.summary.find("full pipe") == std::string::npos);
	CHECK(stall.summary.find("held by thread t2 (tid 2)") != std::string::npos);
}

TEST_CASE("a lock has its name, where it has one") {
	FutexResource lock;
	lock.lock = LockKind::python_lock;
	CHECK(format_lock(lock) == "a Python lock");
	lock.type = "logging.Handler.lock";
	CHECK(format_lock(lock) == "logging.Handler.lock");
	lock.type = "threading.RLock";
	CHECK(format_lock(lock) == "a threading.RLock");
	lock.type = "import lock of shop.models";
	CHECK(format_lock(lock) == "the import lock of shop.models");
	lock.lock = LockKind::pthread_mutex;
	lock.type = "recursive pthread mutex";
	CHECK(format_lock(lock) == "a mutex");
}

TEST_CASE("a native thread stands at a line of a source file, not of a header") {
	const auto frame_in = [](const char *function, const char *file, int line) {
		NativeFrame frame;
		frame.function = function;
		frame.module = "/srv/app/server";
		if (file != nullptr) {
			frame.file = file;
			frame.line = line;
		}
		return frame;
	};
	Stack stack;
	stack.native = {frame_in("sleep_ms", "src/clock.h", 21), frame_in("flush", "src/flush.c", 88),
	                frame_in("main", "src/main.c", 7)};
	CHECK(format_at(stack) == " at flush.c:88");
	stack.native = {frame_in("sleep_ms", "src/clock.hpp", 21)};
	CHECK(format_at(stack) == " in sleep_ms()");
	stack.native = {frame_in("flush", nullptr, 0)};
	CHECK(format_at(stack) == " in flush()");
}

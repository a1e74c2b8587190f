// SPDX-License-Identifier: Apache-2.0
#include "analysis/no_end.h"

#include "analysis/stalls.h"
#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::analysis_test;

namespace {

FutexResource lock(std::string type, std::optional<Holder> holder = std::nullopt) {
	FutexResource made{0x7f10, LockKind::python_lock, std::move(holder), std::move(type)};
	made.within_process = true;
	return made;
}

Stall waiting(FutexResource for_what) {
	Stall stall;
	stall.pid = stall.tid = 5;
	stall.duration_ns = 2'000'000'000;
	stall.ongoing = true;
	stall.cause = Cause::futex;
	part_of(stall.breakdown, Cause::futex) = {stall.duration_ns, 1};
	stall.waits.push_back(wait(Cause::futex, "futex", 0, stall.duration_ns, {application(16)}));
	stall.waits.back().ongoing = true;
	stall.waits.back().resource = Resource{std::move(for_what)};
	stall.threads.emplace();
	return stall;
}

ThreadView thread(std::uint32_t tid, std::vector<SourceFrame> python) {
	ThreadView view;
	view.tid = tid;
	view.thread = "worker";
	view.cause = Cause::futex;
	view.syscall = "futex";
	view.stack.emplace().python = std::move(python);
	return view;
}

const SourceFrame idle_worker{"_worker", "/usr/lib/python3.11/concurrent/futures/thread.py", 81};

} // namespace

TEST_CASE("a process with one thread that waits for its own future") {
	Stall stall = waiting(lock("concurrent.futures.Future"));
	CHECK(find_no_end(stall, false) == NoEnd::only_thread);
	stall.waits.back().ongoing = false;
	CHECK_FALSE(find_no_end(stall, false));
	FutexResource timed = lock("concurrent.futures.Future");
	timed.within_process = false; // it has a time-out, or is in shared memory
	CHECK_FALSE(find_no_end(waiting(timed), false));
}

TEST_CASE("others that wait for work end nothing, and those that do anything else may") {
	Stall stall = waiting(lock("concurrent.futures.Future"));
	stall.threads->push_back(thread(6, {idle_worker, {"run", "/usr/lib/python3.11/threading.py", 975}}));
	CHECK(find_no_end(stall, false) == NoEnd::others_idle);
	stall.threads->push_back(thread(7, {application(3)}));
	CHECK_FALSE(find_no_end(stall, false));
	stall.threads->back() = thread(7, {application(3), idle_worker}); // a job of a pool
	CHECK_FALSE(find_no_end(stall, false));
	stall.threads->back() = thread(7, {idle_worker});
	stall.threads->back().state = ThreadView::State::running;
	CHECK_FALSE(find_no_end(stall, false));
}

TEST_CASE("workers of a runtime are known by their native stacks, the application's are not") {
	ThreadView view = thread(6, {});
	view.stack->native = {{"pthread_cond_wait", "/usr/lib/x86_64-linux-gnu/libc.so.6", 1, {}, {}}};
	CHECK(waits_for_work(view));
	view.stack->native.push_back({"shop::consume()", "/srv/shop/server", 1, {}, {}});
	CHECK_FALSE(waits_for_work(view));
	view.stack.reset();
	CHECK_FALSE(waits_for_work(view)); // nobody knows
}

TEST_CASE("a thread that waits for work may get it from outside, or from its timer") {
	Stall stall = waiting(lock("concurrent.futures.Future"));
	ThreadView view = thread(6, {});
	view.stack->native = {{"pthread_cond_wait", "/usr/lib/x86_64-linux-gnu/libc.so.6", 1, {}, {}}};
	stall.threads->push_back(view);
	CHECK(find_no_end(stall, false) == NoEnd::timer); // it has a time-out
	stall.threads->back().endless = true;
	CHECK(find_no_end(stall, false) == NoEnd::others_idle);
	ThreadView polls = view;
	polls.cause = Cause::poll;
	polls.syscall = "epoll_wait";
	polls.endless = true;
	FdsResource own;
	own.fds.emplace_back(FileResource{7, "anon_inode:[eventfd]"});
	own.fds.emplace_back(PipeResource{8, std::nullopt, Peer{5, "node", {}}});
	polls.resource = Resource{own};
	stall.threads->push_back(polls);
	CHECK(find_no_end(stall, false) == NoEnd::others_idle);
	stall.threads->back().endless = false; // a timer of that loop
	CHECK(find_no_end(stall, false) == NoEnd::timer);
	stall.threads->back() = polls;
	own.fds.emplace_back(SocketResource{9, "tcp", "127.0.0.1:80", std::nullopt, std::nullopt, "LISTEN", std::nullopt});
	stall.threads->back().resource = Resource{own}; // a customer may come
	CHECK_FALSE(find_no_end(stall, false));
	own.fds.pop_back();
	own.total = 5; // of three nobody knows what they are
	stall.threads->back().resource = Resource{own};
	CHECK_FALSE(find_no_end(stall, false));
}

TEST_CASE("threads that do a runtime's chores end nothing, whatever they do") {
	Stall stall = waiting(lock("concurrent.futures.Future"));
	ThreadView view = thread(6, {});
	view.state = ThreadView::State::running;
	for (const char *function : {"WatcherThread::run()", "VMThread::run()", "v8::platform::DefaultJobWorker::Run()"}) {
		view.stack->native = {{"pthread_cond_timedwait", "/lib/libc.so.6", 1, {}, {}}, {function, "/lib/libjvm.so", 2, {}, {}}};
		stall.threads = {view};
		INFO(function);
		CHECK(find_no_end(stall, false) == NoEnd::others_idle);
	}
	view.stack->native.back().function = "Worker::run()";
	stall.threads = {view};
	CHECK_FALSE(find_no_end(stall, false));
}

TEST_CASE("a lock that was taken before the process was forked") {
	CHECK(find_no_end(waiting(lock("threading.Lock")), true) == NoEnd::before_fork);
	CHECK(find_no_end(waiting(lock("threading.Lock")), false) == NoEnd::only_thread);
	CHECK(find_no_end(waiting(lock("concurrent.futures.Future")), true) == NoEnd::only_thread);
	CHECK(find_no_end(waiting(lock("recursive pthread mutex", Holder{99, "", false})), true) == NoEnd::before_fork);
	CHECK_FALSE(find_no_end(waiting(lock("recursive pthread mutex", Holder{99, "", false})), false));
}

TEST_CASE("a thread that is joined and waits for what only this loop would do") {
	Stall stall = waiting(lock("threading.Thread", Holder{6, "worker", false}));
	stall.threads->push_back(thread(6, {application(30)}));
	CHECK_FALSE(find_no_end(stall, false)); // what it waits for is not known
	stall.threads->back().resource = Resource{lock("concurrent.futures.Future")};
	CHECK(find_no_end(stall, false) == NoEnd::each_other);
	stall.threads->push_back(thread(7, {application(3)}));
	CHECK_FALSE(find_no_end(stall, false)); // which may set it
}

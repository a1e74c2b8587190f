// SPDX-License-Identifier: Apache-2.0
// Words that several lines and sentences share.
#include "catch.h"
#include "summary/ending.h"
#include "summary/thread.h"
#include "summary/wait_chain.h"
#include "summary/waker.h"

using namespace loopsnoop;
using namespace loopsnoop::summary;

TEST_CASE("how a process ended") {
	ProcessExit exit;
	CHECK(format_exit(exit, "pid 812") == "pid 812 is gone");
	exit.status = 3;
	CHECK(format_exit(exit, "pid 812") == "pid 812 exited with status 3");
	exit.status.reset();
	exit.signal = "SIGKILL";
	CHECK(format_exit(exit, "uvicorn (pid 812)") == "uvicorn (pid 812) was killed by SIGKILL");
}

TEST_CASE("what a thread does, in a line") {
	ThreadView thread;
	thread.state = ThreadView::State::sleeping;
	CHECK(format_state(thread) == "sleeping");
	thread.waited_ns = 1'000'000'000;
	thread.cause = Cause::page_fault;
	CHECK(format_state(thread) == "sleeping for 1.00 s, " + std::string(words_of(Cause::page_fault)));
	thread.syscall = "write";
	thread.resource = Resource{PipeResource{1, std::nullopt, std::nullopt}};
	thread.holds_gil = true;
	thread.moved = true;
	CHECK(format_state(thread) == "sleeping for 1.00 s in write() on pipe fd 1, holds the GIL, ran on while it was inspected");
}

TEST_CASE("who has a lock, in a sentence and in a list") {
	FutexResource lock;
	lock.lock = LockKind::pthread_mutex;
	lock.address = 0x3000;
	lock.holder = Holder{12, "worker", true};
	CHECK(format_held_by(lock) == "waits for a mutex probably held by");
	CHECK(format_held_by(lock, Addresses::with) == "waits for a mutex (0x3000) probably held by");
	lock.holder->inferred = false;
	lock.lock = LockKind::gil;
	CHECK(format_held_by(lock, Addresses::with) == "waits for Python's GIL held by");
	lock.lock = LockKind::python_lock;
	lock.type = thread_end;
	CHECK(format_held_by(lock, Addresses::with) == "waits for the end of");
}

TEST_CASE("who woke a thread") {
	Waker waker{812, 812, "redis-server", "redis-server", false, std::nullopt};
	CHECK(format_waker(waker, 10) == "woken by redis-server (pid 812)");
	waker.tid = 813;
	waker.thread = "bio_aof";
	CHECK(format_waker(waker, 10) == "woken by redis-server (pid 812, thread bio_aof tid 813)");
	CHECK(format_waker(waker, 812) == "woken by bio_aof (tid 813)");
	waker.interrupt = true;
	CHECK(format_waker(waker, 10) == "woken by an interrupt");
}

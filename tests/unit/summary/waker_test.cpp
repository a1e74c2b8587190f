// SPDX-License-Identifier: Apache-2.0
#include "summary/waker.h"

#include "analysis/lock_holders.h"
#include "analysis/stalls.h"
#include "catch.h"
#include "summary/judged.h"
#include "summary/stall_summary.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::summary;
using namespace loopsnoop::analysis_test;

namespace {

constexpr std::uint64_t ms = 1'000'000;

// A loop thread, pid and tid 10, that has waited for a lock, and was woken by a thread of its process at jobs.py:12.
Stall woken(LockKind kind, std::optional<std::string> type) {
	Stall stall;
	stall.pid = stall.tid = 10;
	stall.duration_ns = 210 * ms;
	part_of(stall.breakdown, Cause::futex) = {200 * ms, 1};
	Wait one = wait(Cause::futex, "futex", 0, 200 * ms, {application(30)});
	FutexResource lock;
	lock.address = 0x7f10;
	lock.lock = kind;
	lock.type = std::move(type);
	one.resource = Resource{lock};
	one.waker = Waker{10, 12, "shop", "worker_3", false, Stack{{frame("job", "/srv/app/jobs.py", 12)}, {}, {}, {}, false}};
	stall.waits.push_back(std::move(one));
	return stall;
}

std::string summary_of(Stall stall) {
	judge_and_summarize(stall);
	return stall.summary;
}

const FutexResource &lock_of(const Stall &stall) { return std::get<FutexResource>(stall.waits.front().resource->is); }

} // namespace

TEST_CASE("who released a lock is taken for its holder, as inferred") {
	for (auto [kind, type] :
	     {std::pair(LockKind::pthread_mutex, "pthread mutex"), std::pair(LockKind::unknown, "pthread rwlock"),
	      std::pair(LockKind::python_lock, "threading.Lock"), std::pair(LockKind::python_lock, "import lock of a.b")}) {
		Stall stall = woken(kind, type);
		infer_holders(stall);
		REQUIRE(lock_of(stall).holder);
		CHECK(lock_of(stall).holder->tid == 12);
		CHECK(lock_of(stall).holder->thread == "worker_3");
		CHECK(lock_of(stall).holder->inferred);
	}
	CHECK(summary_of(woken(LockKind::python_lock, "threading.Lock")) ==
	      "blocked 210 ms: waiting for a threading.Lock probably held by "
	      "thread worker_3 (tid 12), released at jobs.py:12; in handler "
	      "(/srv/app/main.py:30)");
}

TEST_CASE("who notifies is no holder, but is named") {
	for (const char *type : {"threading.Event", "threading.Condition", "queue.Queue"}) {
		Stall stall = woken(LockKind::python_lock, type);
		infer_holders(stall);
		CHECK_FALSE(lock_of(stall).holder);
	}
	CHECK(summary_of(woken(LockKind::unknown, std::nullopt)) ==
	      "blocked 210 ms: waiting for a lock (futex 0x7f10), woken by worker_3 (tid 12) at jobs.py:12; in handler "
	      "(/srv/app/main.py:30)");
}

TEST_CASE("nobody is named for a wait that goes on, or that something else ended") {
	Stall stall = woken(LockKind::python_lock, "threading.Lock");
	Wait &one = stall.waits.front();
	SECTION("it goes on") { one.ongoing = true; }
	SECTION("an interrupt: a time-out") { one.waker->interrupt = true; }
	SECTION("another process") { one.waker->pid = 11; }
	SECTION("not known") { one.waker.reset(); }
	infer_holders(stall);
	CHECK_FALSE(lock_of(stall).holder);
	CHECK(format_waker(stall, one).empty());
}

TEST_CASE("a holder that was read stays, and so does what is said of who else woke") {
	Stall stall = woken(LockKind::python_lock, "threading.RLock");
	std::get<FutexResource>(stall.waits.front().resource->is).holder = Holder{99, "keeper", false};
	infer_holders(stall);
	CHECK(lock_of(stall).holder->tid == 99);
	CHECK(format_waker(stall, stall.waits.front()) == " woken by worker_3 (tid 12) at jobs.py:12");
	stall.waits.front().waker->stack.reset();
	CHECK(format_waker(stall, stall.waits.front()) == " woken by worker_3 (tid 12)");
}

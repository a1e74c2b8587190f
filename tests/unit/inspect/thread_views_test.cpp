// SPDX-License-Identifier: Apache-2.0
// Snapshots of threads put together: who moved, who holds what, what a stall learns of it.
#include "inspect/thread_views.h"

#include "catch.h"
#include "fakes/fake_collector.h"
#include "fixture.h"
#include "inspect/circumstances.h"
#include "inspect/gil_watch.h"

using namespace loopsnoop;

namespace {

constexpr std::uint32_t pid = 5'000'001; // beyond PID_MAX_LIMIT: never a process of this machine
constexpr std::uint64_t lock_at = 0x7f10;

struct Target {
	FixtureTree tree;
	FakeCollector collector;
	process::ProcFs proc{tree.root()};
	inspect::Programs programs{proc};
	inspect::Children children{proc};
	inspect::Resolver resolver{proc, programs, children};
	inspect::Inspector inspector{collector, proc, programs, resolver, 4096};
};

ThreadSnapshot thread(std::uint32_t tid, std::uint64_t switches) {
	ThreadSnapshot snapshot;
	snapshot.pid = pid;
	snapshot.tid = tid;
	snapshot.thread = "t" + std::to_string(tid - pid);
	snapshot.switches = switches;
	snapshot.syscall = 35; // nanosleep
	snapshot.now_ns = 5000;
	snapshot.off_since_ns = 2000;
	snapshot.stack.pid = pid;
	snapshot.stack.tid = tid;
	snapshot.stack.have_registers = true;
	return snapshot;
}

ThreadView waiting_for_lock(std::uint32_t tid, std::uint32_t holder) {
	ThreadView view;
	view.tid = tid;
	view.thread = "t" + std::to_string(tid - pid);
	FutexResource lock;
	lock.address = lock_at + tid;
	lock.holder = Holder{};
	lock.holder->tid = holder;
	view.resource = Resource{lock};
	view.cause = Cause::futex;
	return view;
}

} // namespace

TEST_CASE("a snapshot becomes a view: state, call, how long") {
	Target target;
	const ThreadView view = target.inspector.view(thread(pid, 1), true);
	CHECK(view.tid == pid);
	CHECK(view.syscall == "nanosleep");
	CHECK(view.cause == Cause::sleep);
	CHECK(view.waited_ns == 3000);
	CHECK(view.thread == "t0");
	ThreadSnapshot running = thread(pid, 1);
	running.running = true;
	running.state = ThreadView::State::running;
	const ThreadView other = target.inspector.view(running, true);
	CHECK(other.state == ThreadView::State::running);
	CHECK_FALSE(other.syscall);
	CHECK_FALSE(other.waited_ns);
}

TEST_CASE("a thread that has run since its snapshot is marked as moved") {
	Target target;
	const std::vector<ThreadSnapshot> snapshots{thread(pid, 1), thread(pid + 1, 5)};
	target.collector.threads[pid] = {thread(pid, 1), thread(pid + 1, 6)};
	std::vector<ThreadView> views;
	for (const ThreadSnapshot &snapshot : snapshots) {
		views.push_back(target.inspector.view(snapshot, false));
	}
	CHECK_FALSE(inspect::complete_views(target.inspector, target.programs, pid, snapshots, views, pid));
	CHECK_FALSE(views[0].moved);
	CHECK(views[1].moved);
}

TEST_CASE("two threads that wait for each other's locks are a deadlock, by the names of the views") {
	Target target;
	const std::vector<ThreadSnapshot> snapshots{thread(pid, 1), thread(pid + 1, 5)};
	target.collector.threads[pid] = snapshots;
	std::vector<ThreadView> views{waiting_for_lock(pid, pid + 1), waiting_for_lock(pid + 1, pid)};
	const auto deadlock = inspect::complete_views(target.inspector, target.programs, pid, snapshots, views, pid);
	REQUIRE(deadlock);
	CHECK(deadlock->size() == 2);
	CHECK(std::get<FutexResource>(views[0].resource->is).holder->thread == "t1");
}

TEST_CASE("a stall's wait gets the holder that the view of its own thread knows") {
	Stall stall;
	Wait wait;
	wait.ongoing = true;
	FutexResource lock;
	lock.address = lock_at + pid;
	wait.resource = Resource{lock};
	stall.waits.push_back(wait);
	const ThreadView own = waiting_for_lock(pid, pid + 3);
	CHECK(inspect::complete_wait(stall, own));
	const auto &known = std::get<FutexResource>(stall.waits[0].resource->is);
	REQUIRE(known.holder);
	CHECK(known.holder->tid == pid + 3);
	stall.waits[0].ongoing = false;
	CHECK_FALSE(inspect::complete_wait(stall, own));
}

TEST_CASE("a stall of a process that is gone has nothing around it") {
	Target target;
	Stall stall;
	stall.pid = stall.tid = pid;
	CHECK_FALSE(inspect::add_circumstances(stall, std::nullopt, target.proc, target.programs, target.resolver, target.inspector));
	CHECK_FALSE(stall.startup);
	CHECK_FALSE(stall.pool);
	CHECK_FALSE(stall.peer);
}

TEST_CASE("of a process without an interpreter no holder of a GIL is known, and its names are the kernel's") {
	Target target;
	target.tree.process(pid, "server", pid);
	inspect::GilWatch watch(target.proc, target.programs);
	RawGilWait wait;
	wait.key = {1, 1};
	wait.pid = wait.tid = pid;
	wait.iteration = 1;
	wait.holder_native_id = pid + 1;
	watch.on(wait);
	CHECK(watch.holders({1, 1}, 1).empty());
	CHECK(target.programs.comm(pid) == "server");
	CHECK(target.programs.runtime(pid).kind == RuntimeKind::native);
	CHECK(target.programs.interpreter(pid) == nullptr);
	CHECK(target.programs.javascript(pid) == nullptr);
	CHECK(target.programs.thread_name(pid, pid, "kernel's") == "kernel's");
	target.programs.exec(pid);
	target.tree.file(std::to_string(pid) + "/comm", "other\n");
	CHECK(target.programs.comm(pid) == "other");
}

TEST_CASE("numbers become names: calls, paths, children, time") {
	Target target;
	target.tree.process(pid, "server", pid);
	CHECK(inspect::Resolver::syscall_text(0) == "read");
	CHECK_FALSE(inspect::Resolver::syscall_text(std::nullopt));
	Cause cause = Cause::child;
	WaitTarget child;
	child.waits_for_child = true;
	child.child_pid = pid + 1;
	target.tree.process(pid + 1, "convert", pid + 1);
	const auto resource = target.resolver.resource(pid, child, cause);
	REQUIRE(resource);
	CHECK(std::holds_alternative<ProcessResource>(resource->is));
	RawWait raw;
	raw.pid = raw.tid = pid;
	raw.cause = Cause::sleep;
	raw.syscall = 35;
	raw.start_ns = 7;
	raw.off_ns = 100;
	raw.count = 2;
	raw.target.sleeps = true;
	raw.target.requested_ns = 50;
	const Wait wait = target.resolver.wait(raw);
	CHECK(wait.duration_ns == 100);
	CHECK(wait.syscall == "nanosleep");
	CHECK(wait.start_ns == 7);
}

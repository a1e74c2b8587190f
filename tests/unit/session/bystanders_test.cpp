// SPDX-License-Identifier: Apache-2.0
// Long waits that keep nobody waiting.
#include "session/bystanders.h"

#include "catch.h"
#include "fakes/fake_session.h"

using namespace loopsnoop;
using session::LoopStatus;

namespace {

constexpr long wait4_call = 61;
constexpr long connect_call = 42;
constexpr long sigsuspend_call = 130;

ThreadSnapshot asleep_in(std::uint32_t tid, long call, std::uint64_t now_ns) {
	ThreadSnapshot snapshot;
	snapshot.pid = snapshot.tid = tid;
	snapshot.syscall = call;
	snapshot.now_ns = now_ns;
	snapshot.off_since_ns = now_ns - s;
	snapshot.stack.pid = snapshot.stack.tid = tid;
	snapshot.stack.have_registers = true;
	return snapshot;
}

// A main thread that has not polled, and sleeps in this call for two seconds.
LoopKey hangs(FakeSession &fake, long call, Cause cause) {
	fake.parts.processes.expect(server, session::Processes::Asked::by_name);
	const LoopKey key = fake.appears(server, server, true);
	fake.blocks(key, 0, cause);
	fake.collector.threads[server] = {asleep_in(server, call, fake.now + 2 * s)};
	fake.tick_after(2 * s);
	return key;
}

} // namespace

TEST_CASE("a shell that waits for its child is no loop, and no stall") {
	FakeSession fake;
	const LoopKey key = hangs(fake, wait4_call, Cause::child);
	CHECK(fake.stalls().empty());
	CHECK(fake.all<LoopFound>().empty());
	CHECK(fake.parts.loops.find(key)->status == LoopStatus::ignored);
	CHECK(fake.collector.ignored.contains(key));
	fake.tick_after(20 * s);
	CHECK(fake.stalls().empty());
	fake.appears_again(key, false);
	CHECK(fake.parts.loops.find(key)->status == LoopStatus::polling);
}

TEST_CASE("a master that waits for signals is none, whatever it listens on") {
	FakeSession fake;
	fake.tree.link(std::to_string(server) + "/fd/3", "socket:[77]");
	hangs(fake, sigsuspend_call, Cause::other);
	CHECK(fake.stalls().empty());
}

TEST_CASE("a server that waits for a child at its start is one") {
	FakeSession fake;
	fake.tree.link(std::to_string(server) + "/fd/3", "anon_inode:[eventpoll]");
	hangs(fake, wait4_call, Cause::child);
	REQUIRE(fake.stalls().size() == 1);
	CHECK(fake.stalls()[0].no_loop_yet);
	CHECK(fake.all<LoopFound>().size() == 1);
}

TEST_CASE("a server that has a connection of a customer has a loop, although it was not seen") {
	FakeSession fake;
	const std::string folder = std::to_string(server);
	fake.tree.link(folder + "/fd/3", "socket:[77]");
	fake.tree.link(folder + "/fd/4", "socket:[78]");
	fake.tree.file(
	    folder + "/net/tcp",
	    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000001 00:00000000 00000000     0        0 77 1 0 100 0 0 10 0\n"
	    "   1: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 78 1 0 100 0 0 10 0\n");
	const LoopKey key = hangs(fake, connect_call, Cause::socket);
	REQUIRE(fake.stalls().size() == 1);
	CHECK_FALSE(fake.stalls()[0].no_loop_yet);
	CHECK_FALSE(fake.stalls()[0].startup);
	CHECK(fake.stalls()[0].summary.find("no event loop") == std::string::npos);
	CHECK(fake.parts.loops.find(key)->status == LoopStatus::in_callback);
}

TEST_CASE("an epoll descriptor that lives as long as a callback is not the loop's") {
	FakeSession fake;
	fake.parts.processes.expect(server, session::Processes::Asked::by_name);
	fake.parts.processes.find(server)->private_polls[server] = 7;
	const LoopKey key = fake.appears(server, server, false, 7);
	CHECK(fake.all<LoopFound>().empty());
	fake.appears_again(key, false, 5);
	const auto found = fake.all<LoopFound>();
	REQUIRE(found.size() == 1);
	CHECK(found[0].poll->fd == 5);
}

TEST_CASE("a thread that was preempted has no wait that anybody could read") {
	FakeSession fake;
	const LoopKey key = fake.appears(server, server);
	fake.blocks(key, 1, Cause::runqueue);
	fake.collector.threads[server] = {asleep_in(server, 202, fake.now + 2 * s)}; // by then it slept in futex()
	fake.tick_after(2 * s);
	REQUIRE(fake.stalls().size() == 1);
	CHECK(fake.stalls()[0].waits.empty());
	CHECK_FALSE(fake.parts.loops.find(key)->uncaptured);
	CHECK(fake.stalls()[0].cause == Cause::runqueue);
}

TEST_CASE("an event loop of a JVM that was frozen before is found by its thread's name, not by the launcher's") {
	FakeSession fake;
	fake.parts.processes.expect(server, session::Processes::Asked::by_name);
	const LoopKey main = fake.appears(server, server, true);
	fake.blocks(main, 0, Cause::futex);
	ThreadSnapshot launcher = asleep_in(server, 202, fake.now);
	launcher.thread = "java";
	ThreadSnapshot loop = asleep_in(server, 202, fake.now);
	loop.tid = loop.stack.tid = server + 5;
	loop.thread = "nioEventLoopGro";
	fake.collector.threads[server] = {loop, launcher};
	fake.parts.attach.inspect(server);
	CHECK(fake.collector.forced == std::set<FakeCollector::Thread>{{server, server + 5}});
	const LoopKey key = fake.appears(server, server + 5, true);
	fake.blocks(key, 0, Cause::futex);
	fake.tick_after(3 * s);
	REQUIRE(fake.stalls().size() == 1);
	CHECK(fake.stalls()[0].tid == server + 5);
	CHECK_FALSE(fake.stalls()[0].no_loop_yet);
	CHECK(fake.collector.ignored == std::set{main});
}

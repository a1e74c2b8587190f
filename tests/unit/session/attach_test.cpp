// SPDX-License-Identifier: Apache-2.0
// Which threads of a process that runs already are loops.
#include "session/attach_inspection.h"

#include "catch.h"
#include "fakes/fake_session.h"

using namespace loopsnoop;
using session::Processes;

namespace {

constexpr long poll_call = 7;
constexpr long read_call = 0;

// Asleep in a system call; `fd`: what it waits on, if it is one descriptor.
ThreadSnapshot asleep_in(std::uint32_t tid, long call, std::optional<DescriptorSnapshot> fd = std::nullopt) {
	ThreadSnapshot snapshot;
	snapshot.pid = server;
	snapshot.tid = tid;
	snapshot.syscall = call;
	snapshot.now_ns = 1000 * s;
	snapshot.off_since_ns = 999 * s;
	snapshot.stack.pid = server;
	snapshot.stack.tid = tid;
	snapshot.stack.have_registers = true;
	snapshot.descriptor = std::move(fd);
	return snapshot;
}

} // namespace

TEST_CASE("a poll() of several descriptors that a main thread sleeps in is its loop's own") {
	FakeSession fake;
	fake.parts.processes.expect(server, Processes::Asked::by_name);
	ThreadSnapshot snapshot = asleep_in(server, poll_call);
	snapshot.args = {0, 2, 0, 0, 0, 0}; // two descriptors; which ones cannot be read
	fake.collector.threads[server] = {snapshot};
	fake.parts.attach.probe_sleeping_poll(server);
	CHECK(fake.collector.adopted == std::map<FakeCollector::Thread, bool>{{{server, server}, true}});
	CHECK(fake.parts.processes.find(server)->has_loop);
}

TEST_CASE("a process with an epoll descriptor polls by that, and no poll() of it is adopted") {
	FakeSession fake;
	fake.tree.link(std::to_string(server) + "/fd/3", "anon_inode:[eventpoll]");
	fake.parts.processes.expect(server, Processes::Asked::by_name);
	ThreadSnapshot snapshot = asleep_in(server, poll_call);
	snapshot.args = {0, 2, 0, 0, 0, 0};
	fake.collector.threads[server] = {snapshot};
	fake.parts.attach.probe_sleeping_poll(server);
	CHECK(fake.collector.adopted.empty());
	CHECK(fake.collector.snapshots_taken == 0);
}

TEST_CASE("a thread that runs, or sleeps in another call, is not adopted") {
	FakeSession fake;
	fake.parts.processes.expect(server, Processes::Asked::by_name);
	ThreadSnapshot running = asleep_in(server, poll_call);
	running.args = {0, 2, 0, 0, 0, 0};
	running.running = true;
	fake.collector.threads[server] = {running, asleep_in(server + 1, read_call)};
	fake.parts.attach.probe_sleeping_poll(server);
	fake.parts.attach.inspect(server);
	CHECK(fake.collector.adopted.empty());
	CHECK(fake.collector.forced.empty());
}

TEST_CASE("a process that nobody follows is not inspected") {
	FakeSession fake;
	fake.parts.attach.probe_sleeping_poll(server);
	fake.parts.attach.inspect(server);
	CHECK(fake.collector.snapshots_taken == 0);
}

TEST_CASE("of a main thread that is asleep and has not polled the wait is kept for its stall") {
	FakeSession fake;
	fake.parts.processes.expect(server, Processes::Asked::by_name);
	const LoopKey key = fake.appears(server, server, true);
	fake.blocks(key, 0, Cause::socket);
	ThreadSnapshot snapshot = asleep_in(server, read_call);
	snapshot.now_ns = fake.now + ms;
	fake.collector.threads[server] = {snapshot};
	fake.parts.attach.inspect(server);
	const session::Loop *loop = fake.parts.loops.find(key);
	REQUIRE(loop->uncaptured);
	CHECK(loop->uncaptured->kernel_cause == Cause::socket);
	CHECK(loop->uncaptured->wait.syscall == read_call);

	// Its account has the time; the record of the iteration has no wait of it.
	fake.now += 3 * s;
	IterationEnded end;
	end.key = key;
	end.start_ns = fake.now - 3 * s;
	end.end_ns = fake.now;
	end.provisional = end.before_attach = true;
	part_of(end.breakdown, Cause::socket) = {3 * s, 1};
	fake.event(end);
	REQUIRE(fake.stalls().size() == 1);
	REQUIRE(fake.stalls()[0].waits.size() == 1);
	CHECK(fake.stalls()[0].waits[0].duration_ns == 3 * s);
	CHECK(fake.stalls()[0].truncated == Truncated::before_attach);
}

// SPDX-License-Identifier: Apache-2.0
// How a session begins and ends, its queue of events and what it lends to other threads.
#include "session/session.h"

#include <algorithm>

#include "catch.h"
#include "fakes/fake_run.h"
#include "fakes/fake_session.h"
#include "session/event_queue.h"
#include "session/live_numbers.h"
#include "session/status_meter.h"

using namespace loopsnoop;

namespace {

Execed exec_of(std::uint32_t pid) { return Execed{1, pid, "program", std::nullopt}; }

} // namespace

TEST_CASE("a session begins with its record and ends with the summary, the loops between") {
	FakeRun run;
	run.tree.link(std::to_string(server) + "/exe", "/usr/bin/server");
	run.collector.not_attached = {"no tracefs"};
	run.collector.lost.at(0) = 3;
	run.appears(server, server);
	const session::FollowEnd end = run.run();
	CHECK(end.stalls == 0);
	CHECK_FALSE(end.reader_gone);
	REQUIRE(run.collector.requests.size() == 1);
	CHECK(run.collector.requests[0].pid == server);
	REQUIRE(run.kinds() == std::vector<std::string>{"session", "loop", "summary"});
	CHECK(run.all<SessionStart>()[0].missing == std::vector<std::string>{"no tracefs"});
	CHECK(run.all<SessionStart>()[0].threshold_ns == 100 * ms);
	CHECK(run.summary().loops.size() == 1);
	CHECK(run.summary().lost.at(0) == 3);
	CHECK(run.passed_ns() == 60 * s);
}

TEST_CASE("a session whose reader is gone ends, and says so") {
	FakeRun run;
	run.outputs.record = [](const Record &) { return false; };
	CHECK(run.run().reader_gone);
	CHECK(run.passed_ns() == 0);
}

TEST_CASE("events come out of the queue in the order in which the kernel has them") {
	FakeCollector collector;
	for (std::uint32_t i = 1; i <= 100; i++) {
		collector.queue.emplace_back(exec_of(i));
	}
	session::EventQueue queue(collector);
	CHECK(queue.empty());
	CHECK_FALSE(queue.next());
	CHECK(queue.fetch() == 100);
	for (std::uint32_t i = 1; i <= 100; i++) {
		const auto event = queue.next();
		REQUIRE(event);
		REQUIRE(std::get_if<Execed>(&*event) != nullptr);
		CHECK(std::get<Execed>(*event).pid == i);
	}
	CHECK(queue.empty());
}

TEST_CASE("a full queue leaves events in the kernel, which counts what it has no room for") {
	FakeCollector collector;
	session::EventQueue queue(collector);
	const auto big = [] {
		RawWait wait;
		wait.stack.stack_bytes.resize(31 << 20);
		return wait;
	};
	collector.queue.emplace_back(big());
	CHECK(queue.fetch() == 1);
	collector.queue.emplace_back(exec_of(1));
	CHECK(queue.fetch() == 1);
	CHECK(collector.queue.size() == 1);
	REQUIRE(queue.next());
	CHECK(queue.fetch() == 1);
	CHECK(collector.queue.empty());
}

TEST_CASE("the kernel's tables are lent as long as the lender lives") {
	FakeCollector collector;
	collector.states[{1, 1}].pid = server;
	collector.lost.at(1) = 5;
	std::function<session::LiveNumbers()> read;
	const std::function<void(std::function<session::LiveNumbers()>)> lend = [&](std::function<session::LiveNumbers()> given) {
		read = std::move(given);
	};
	session::Clock clock;
	clock.monotonic = [] { return 7 * s; };
	{
		session::LiveNumbersLender lender(lend, collector, clock, [&] { return collector.losses(); });
		REQUIRE(read);
		const session::LiveNumbers now = read();
		CHECK(now.loops.size() == 1);
		CHECK(now.lost.at(1) == 5);
		CHECK(now.now_ns == 7 * s);
	}
	CHECK_FALSE(read);
}

TEST_CASE("the status line shows what happened between two moments") {
	FakeSession fake;
	session::StatusMeter meter;
	const LoopKey key = fake.appears(server, server);
	LoopState &state = fake.collector.states.at(key);
	state.iterations = 100;
	state.busy_ns = 1 * s;
	output::Status status = meter.read(fake.parts, 0);
	CHECK(status.loops == 1);
	CHECK(status.pid == server);
	CHECK(status.comm == "server");
	CHECK(status.iterations_per_s == 0);
	state.iterations = 150;
	state.busy_ns += 500 * ms;
	fake.now += s;
	status = meter.read(fake.parts, 7);
	CHECK(status.iterations_per_s == Approx(50));
	CHECK(status.busy == Approx(0.5));
	CHECK(status.lost == 7);
	CHECK_FALSE(status.stuck_ns);
	fake.blocks(key, 151);
	fake.tick_after(2 * s);
	fake.now += s;
	CHECK(meter.read(fake.parts, 7).stuck_ns == 3 * s);
}

// SPDX-License-Identifier: Apache-2.0
// A whole session, its queue of events and what it lends to other threads.
#include "session/session.h"

#include <algorithm>

#include "catch.h"
#include "fakes/fake_session.h"
#include "session/event_queue.h"
#include "session/live_numbers.h"
#include "session/status_meter.h"

using namespace loopsnoop;

namespace {

Execed exec_of(std::uint32_t pid) { return Execed{1, pid, "program", std::nullopt}; }

} // namespace

TEST_CASE("a session begins with its record and ends with the summary, the loops between") {
	FakeSession fake; // for its /proc and its kernel side
	fake.tree.link(std::to_string(server) + "/exe", "/usr/bin/server");
	fake.collector.not_attached = {"no tracefs"};
	fake.collector.lost.at(0) = 3;
	Settings settings;
	settings.pids = {server};
	settings.threshold_ns = 100 * ms;
	settings.hang_after_ns = 2 * s;
	settings.duration_ns = 1;
	std::vector<Record> records;
	session::Outputs outputs;
	outputs.record = [&](const Record &record) {
		records.push_back(record);
		return true;
	};
	outputs.status = [](const output::Status &) { return true; };
	outputs.winch = [] { return true; };
	session::Prepared prepared;
	prepared.proc = process::ProcFs(fake.tree.root());
	prepared.requests = {{server, false, std::nullopt}};
	session::Session session(settings, outputs, fake.collector, std::move(prepared));
	LoopAppeared appeared;
	appeared.key = {1, 1};
	appeared.pid = appeared.tid = server;
	appeared.comm = "server";
	fake.collector.table[appeared.key].key = appeared.key;
	fake.collector.queue.emplace_back(appeared);

	REQUIRE(session.begin());
	session.run();
	const session::FollowEnd end = session.finish();
	CHECK(end.stalls == 0);
	CHECK_FALSE(end.reader_gone);
	REQUIRE(fake.collector.followed.size() == 1);
	CHECK(fake.collector.followed[0].pid == server);
	REQUIRE(records.size() == 3);
	const auto *start = std::get_if<SessionStart>(&records[0]);
	REQUIRE(start != nullptr);
	CHECK(start->missing == std::vector<std::string>{"no tracefs"});
	CHECK(start->threshold_ns == 100 * ms);
	CHECK(std::get_if<LoopFound>(&records[1]) != nullptr);
	const auto *summary = std::get_if<SessionSummary>(&records[2]);
	REQUIRE(summary != nullptr);
	CHECK(summary->loops.size() == 1);
	CHECK(summary->lost.at(0) == 3);
}

TEST_CASE("a session whose reader is gone ends, and says so") {
	FakeSession fake;
	Settings settings;
	session::Outputs outputs;
	outputs.record = [](const Record &) { return false; };
	outputs.status = [](const output::Status &) { return true; };
	outputs.winch = [] { return true; };
	session::Prepared prepared;
	prepared.proc = process::ProcFs(fake.tree.root());
	prepared.requests = {{server, false, std::nullopt}};
	session::Session session(settings, outputs, fake.collector, std::move(prepared));
	REQUIRE(session.begin());
	session.run(); // without a duration: it would not return otherwise
	CHECK(session.finish().reader_gone);
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
	collector.table[{1, 1}].pid = server;
	collector.lost.at(1) = 5;
	std::function<session::LiveNumbers()> read;
	const std::function<void(std::function<session::LiveNumbers()>)> lend = [&](std::function<session::LiveNumbers()> given) {
		read = std::move(given);
	};
	{
		session::LiveNumbersLender lender(lend, collector, [&] { return collector.losses(); });
		REQUIRE(read);
		const session::LiveNumbers now = read();
		CHECK(now.loops.size() == 1);
		CHECK(now.lost.at(1) == 5);
		CHECK(now.now_ns != 0);
	}
	CHECK_FALSE(read);
}

TEST_CASE("the status line shows what happened between two moments") {
	FakeSession fake;
	session::StatusMeter meter;
	const LoopKey key = fake.appears(server, server);
	LoopState &state = fake.collector.table.at(key);
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

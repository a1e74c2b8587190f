// SPDX-License-Identifier: Apache-2.0
// What forks, execs, ends and used pids mean.
#include "session/processes.h"

#include <csignal>

#include "catch.h"
#include "fakes/fake_session.h"

using namespace loopsnoop;
using session::Processes;

namespace {

// Twice, because the record of the end may be on its way the first time.
void find_lost_ends(FakeSession &fake) {
	fake.parts.processes.find_lost_ends();
	fake.parts.processes.find_lost_ends();
}

} // namespace

TEST_CASE("a process that ends takes its running stall with it: its end first, then the process's") {
	FakeSession fake;
	const LoopKey key = fake.appears(server, server);
	fake.blocks(key, 1);
	fake.tick_after(2 * s);
	fake.exits(server, key, SIGKILL);
	REQUIRE(fake.records.size() == 4); // the loop, the stall, its end, the process's end
	const auto *end = std::get_if<Stall>(&fake.records[2]);
	REQUIRE(end != nullptr);
	CHECK(end->truncated == Truncated::target_exit);
	const auto *exit = std::get_if<ProcessExit>(&fake.records[3]);
	REQUIRE(exit != nullptr);
	CHECK(exit->signal == "SIGKILL");
	CHECK_FALSE(exit->status);
	CHECK(fake.parts.processes.size() == 0);
	CHECK(fake.parts.loops.all().empty());
	CHECK(fake.parts.loops.totals().size() == 1);
}

TEST_CASE("a thread that ends is not the process's end") {
	FakeSession fake;
	fake.appears(server, server);
	ThreadExited exit;
	exit.pid = server;
	exit.tid = server + 1;
	fake.event(exit);
	CHECK(fake.parts.processes.contains(server));
	CHECK(fake.all<ProcessExit>().empty());
}

TEST_CASE("a child that is followed is a process of the session, found ones by a found parent") {
	FakeSession fake;
	const bool found = GENERATE(true, false);
	fake.process(worker, "worker", 200, server);
	fake.parts.processes.expect(server, found ? Processes::Asked::found : Processes::Asked::by_name);
	fake.event(Forked{fake.now, server, worker, true});
	fake.event(Forked{fake.now, server, worker + 1, false});
	CHECK(fake.all<ProcessFork>().size() == 2);
	REQUIRE(fake.parts.processes.find(worker) != nullptr);
	CHECK(fake.parts.processes.find(worker)->found == found);
	CHECK(fake.parts.processes.find(worker)->start_ticks == 200);
	CHECK_FALSE(fake.parts.processes.contains(worker + 1));
	CHECK(fake.parts.facts.children.comm(worker) == "worker");
}

TEST_CASE("an exec makes another program of the same process") {
	FakeSession fake;
	fake.parts.processes.expect(server, Processes::Asked::by_name);
	const LoopKey key = fake.appears(server, server);
	fake.now += s;
	fake.event(Execed{fake.now, server, "other", LoopEnd{key, 3, s, s, s}});
	REQUIRE(fake.all<ProcessExec>().size() == 1);
	CHECK(fake.all<ProcessExec>()[0].comm == "other");
	CHECK(fake.parts.loops.all().empty());
	REQUIRE(fake.parts.processes.find(server) != nullptr);
	CHECK_FALSE(fake.parts.processes.find(server)->has_loop);
	CHECK(fake.parts.processes.find(server)->since_ns == fake.now);
	CHECK(fake.parts.processes.find(server)->start_ticks == 100);
	CHECK(fake.parts.facts.programs.comm(server) == "other");
}

TEST_CASE("after an exec it is for discovery to say what a found process is") {
	FakeSession fake;
	fake.parts.processes.expect(server, Processes::Asked::found);
	fake.event(Execed{fake.now, server, "other", std::nullopt});
	CHECK_FALSE(fake.parts.processes.contains(server));
}

TEST_CASE("a process whose end was lost ends when it was missed twice, with its loops and what is known of its locks") {
	FakeSession fake;
	fake.parts.processes.expect(server, Processes::Asked::by_name);
	const LoopKey key = fake.appears(server, server);
	fake.blocks(key, 1);
	fake.tick_after(2 * s);
	Stall locked;
	locked.pid = server;
	Wait wait;
	FutexResource lock;
	lock.address = 0x7f10;
	lock.holder = Holder{};
	lock.holder->tid = server + 7;
	wait.resource = Resource{lock};
	locked.waits.push_back(wait);
	fake.parts.facts.last_holders.learn(locked);

	fake.process_gone(server);
	fake.parts.processes.find_lost_ends();
	CHECK(fake.parts.processes.contains(server));
	fake.parts.processes.find_lost_ends();
	CHECK_FALSE(fake.parts.processes.contains(server));
	REQUIRE(fake.stalls().size() == 2);
	CHECK(fake.stalls()[1].truncated == Truncated::target_exit);
	REQUIRE(fake.all<ProcessExit>().size() == 1);
	CHECK_FALSE(fake.all<ProcessExit>()[0].status);
	CHECK_FALSE(fake.all<ProcessExit>()[0].signal);
	CHECK(fake.parts.loops.all().empty());
}

TEST_CASE("a process that is there the second time has not ended") {
	FakeSession fake;
	fake.parts.processes.expect(server, Processes::Asked::by_name);
	fake.process_gone(server);
	fake.parts.processes.find_lost_ends();
	fake.process(server, "server");
	find_lost_ends(fake);
	CHECK(fake.parts.processes.contains(server));
	CHECK(fake.all<ProcessExit>().empty());
}

TEST_CASE("another process under the same pid is another process") {
	FakeSession fake;
	fake.parts.processes.expect(server, Processes::Asked::by_name);
	fake.appears(server, server);
	fake.process_gone(server);
	fake.process(server, "other", 900);
	SECTION("found while the session searches for lost ends") {
		find_lost_ends(fake);
		CHECK_FALSE(fake.parts.processes.contains(server));
	}
	SECTION("found when it is followed itself") {
		fake.parts.processes.expect(server, Processes::Asked::by_name);
		REQUIRE(fake.parts.processes.contains(server));
		CHECK(fake.parts.processes.find(server)->start_ticks == 900);
		CHECK_FALSE(fake.parts.processes.find(server)->has_loop);
	}
	SECTION("found when its parent forks it") {
		fake.event(Forked{fake.now, worker, server, true});
		CHECK(fake.parts.processes.find(server)->start_ticks == 900);
	}
	CHECK(fake.all<ProcessExit>().size() == 1);
	CHECK(fake.parts.loops.all().empty());
}

TEST_CASE("a process that is heard of first by what it does is known by its start time, too") {
	FakeSession fake;
	SECTION("by a loop") { fake.appears(server, server); }
	SECTION("by an exec") { fake.event(Execed{fake.now, server, "server", std::nullopt}); }
	REQUIRE(fake.parts.processes.find(server) != nullptr);
	CHECK(fake.parts.processes.find(server)->start_ticks == 100);
	fake.process_gone(server);
	fake.process(server, "other", 900);
	find_lost_ends(fake);
	CHECK_FALSE(fake.parts.processes.contains(server));
	CHECK(fake.all<ProcessExit>().size() == 1);
}

TEST_CASE("the end of a process that is heard of late is not that of the one which has its pid by then") {
	FakeSession fake;
	fake.parts.processes.expect(server, Processes::Asked::by_name);
	ThreadExited late;
	late.time_ns = fake.now + s;
	late.pid = late.tid = server;
	late.process_ended = true;
	fake.now += 2 * s;
	fake.process_gone(server);
	fake.process(server, "other", 900);
	fake.parts.processes.expect(server, Processes::Asked::by_name);
	CHECK(fake.all<ProcessExit>().size() == 1);
	fake.event(late);
	CHECK(fake.parts.processes.contains(server));
	CHECK(fake.all<ProcessExit>().size() == 1);
}

TEST_CASE("a process that ended before it could be followed leaves no trace") {
	auto options = FakeSession::options();
	options.children = true;
	FakeSession fake(options);
	fake.parts.processes.expect(server, Processes::Asked::found);
	fake.parts.processes.forget_unseen(server);
	CHECK(fake.parts.processes.contains(server)); // it is there still
	fake.process_gone(server);
	fake.parts.processes.forget_unseen(server);
	CHECK_FALSE(fake.parts.processes.contains(server));
	CHECK(fake.records.empty());
	CHECK(fake.parts.facts.history.all(fake.now).empty());
}

TEST_CASE("of many processes some are checked each time, and all of them in the end") {
	FakeSession fake;
	constexpr std::uint32_t count = 200;
	for (std::uint32_t i = 0; i < count; i++) {
		fake.parts.processes.expect(server + 1000 + i, Processes::Asked::found); // none of them is in /proc
	}
	for (int i = 0; i < 10; i++) {
		fake.parts.processes.find_lost_ends();
	}
	CHECK(fake.parts.processes.size() == 0);
	CHECK(fake.all<ProcessExit>().size() == count);
}

TEST_CASE("the history of processes says how each ended and by whom") {
	auto options = FakeSession::options();
	options.children = true;
	FakeSession fake(options);
	fake.parts.processes.expect(server, Processes::Asked::by_name);
	fake.now += s;
	fake.process(worker, "worker", 200, server);
	fake.event(Forked{fake.now, server, worker, true});
	const LoopKey key = fake.appears(worker, worker);
	ProcessActivity activity;
	activity.accepted = 5;
	activity.signal = ProcessActivity::SignalSent{SIGTERM, fake.now, server, "server", true};
	fake.collector.activities[worker] = activity;
	fake.now += 3 * s;
	fake.exits(worker, key, SIGTERM);
	const auto lives = fake.parts.facts.history.all(fake.now);
	REQUIRE(lives.size() == 2);
	CHECK(lives[1].pid == worker);
	CHECK(lives[1].ended);
	CHECK(lives[1].came_to_loop);
	CHECK(lives[1].lived_ns == 3 * s);
	CHECK(lives[1].accepted == 5);
	REQUIRE(lives[1].ended_by);
	CHECK(lives[1].ended_by->signal == "SIGTERM");
	CHECK(lives[1].doing == "idle in its loop");
	CHECK(fake.collector.activities_forgotten == std::set{worker});
}

// SPDX-License-Identifier: Apache-2.0
// Whole sessions from literals: what each writes, in order and by the clock, for what happens to the processes that it follows.
#include <csignal>

#include <algorithm>

#include "catch.h"
#include "fakes/fake_run.h"
#include "fakes/unix_service.h"

using namespace loopsnoop;

namespace {

using Kinds = std::vector<std::string>;

Settings with_children() {
	Settings settings = FakeWorld::options();
	settings.children = true;
	return settings;
}

} // namespace

TEST_CASE("a loop that appears, stalls and ends with its process: a record each, and the session is over") {
	FakeRun run;
	LoopKey key;
	run.at(1 * s, [&] { key = run.appears(server, server); });
	run.at(2 * s, [&] { run.blocks(key, 1); });
	run.at(2300 * ms, [&] {
		run.goes_idle(key);
		run.ended(key, 1, 300 * ms);
	});
	run.at(5 * s, [&] { run.exits(server, key, 3 << 8); });
	CHECK(run.run().stalls == 1);
	CHECK(run.kinds() == Kinds{"session", "loop", "stall", "exit", "summary"});
	CHECK(run.passed_ns() == 5 * s);

	const SessionStart start = run.all<SessionStart>()[0];
	CHECK(start.start_ns == run.begin_ns);
	CHECK(start.started_at == "1970-01-01T00:16:40.000000Z");
	CHECK(run.all<LoopFound>()[0].start_ns == run.begin_ns + 1 * s);
	const Stall stall = run.stalls()[0];
	CHECK(stall.start_ns == run.begin_ns + 2 * s);
	CHECK(stall.started_at == "1970-01-01T00:16:42.000000Z");
	CHECK(stall.duration_ns == 300 * ms);
	CHECK(stall.cause == Cause::sleep);
	CHECK(run.all<ProcessExit>()[0].status == 3);
	const SessionSummary summary = run.summary();
	CHECK(summary.duration_ns == 5 * s);
	REQUIRE(summary.loops.size() == 1);
	CHECK(summary.loops[0].iterations == 7);
	CHECK(summary.loops[0].stalls == 1);
	CHECK(summary.loops[0].stalled_ns == 300 * ms);
}

TEST_CASE("a loop that hangs is reported at --hang-after, at each doubling, and when it goes on again") {
	FakeRun run;
	const LoopKey key = run.appears(server, server);
	run.at(1 * s, [&] { run.blocks(key, 1); });
	SECTION("which it does") {
		run.at(10 * s, [&] {
			run.goes_idle(key);
			run.ended(key, 1, 9 * s);
		});
		CHECK(run.run().stalls == 1);
		const auto stalls = run.stalls();
		REQUIRE(stalls.size() == 4);
		CHECK(stalls[0].duration_ns == 2 * s);
		CHECK(stalls[1].duration_ns == 4 * s);
		CHECK(stalls[2].duration_ns == 8 * s);
		CHECK(stalls[3].duration_ns == 9 * s);
		CHECK(std::ranges::count(stalls, true, &Stall::ongoing) == 3);
		CHECK(stalls[3].truncated == Truncated::no);
	}
	SECTION("which it does not before the session ends") {
		CHECK(run.run().stalls == 1);
		const auto stalls = run.stalls();
		REQUIRE(stalls.size() == 6);
		CHECK(stalls[4].duration_ns == 32 * s);
		CHECK(stalls[5].duration_ns == 59 * s);
		CHECK(stalls[5].truncated == Truncated::session_end);
		CHECK(stalls[5].goes_on);
	}
	CHECK(run.passed_ns() == 60 * s);
	CHECK(run.summary().duration_ns == 60 * s);
	// It was shown on the status line while it went on.
	const auto hung = std::ranges::find(run.statuses, run.begin_ns + 7 * s, &output::Status::now_ns);
	REQUIRE(hung != run.statuses.end());
	CHECK(hung->stuck_ns == 6 * s);
}

TEST_CASE("short stalls that come as fast as they are worked on keep no hang from being reported") {
	FakeRun run;
	const LoopKey hangs = run.appears(server, server);
	const LoopKey busy = run.appears(server, server + 10);
	run.at(1 * s, [&] { run.blocks(hangs, 1); });
	std::uint64_t iteration = 0;
	for (std::uint64_t at = 1 * s; at < 4 * s; at += 100 * ms) {
		run.at(at, [&] {
			for (int i = 0; i < 20; i++) {
				run.ended(busy, ++iteration, 150 * ms);
			}
		});
	}
	run.outputs.record = [&](const Record &record) {
		run.records.push_back(record);
		run.now += std::holds_alternative<Stall>(record) ? 5 * ms : 0; // to find names for it
		return true;
	};
	run.run();
	const auto stalls = run.stalls();
	const auto hang = std::ranges::find(stalls, true, &Stall::ongoing);
	REQUIRE(hang != stalls.end());
	CHECK(hang->duration_ns >= 2 * s);
	CHECK(hang->duration_ns < 2200 * ms);
	CHECK(std::ranges::count(stalls, 150 * ms, &Stall::duration_ns) == static_cast<long>(iteration));
}

TEST_CASE("lost records are counted, and what they were of ends all the same") {
	FakeRun run;
	const LoopKey key = run.appears(server, server);
	run.at(1 * s, [&] { run.blocks(key, 1); });
	const auto lost = static_cast<std::size_t>(Loss::ringbuf_full);
	SECTION("the end of a stall") {
		run.at(4500 * ms, [&] {
			run.goes_idle(key);
			run.collector.lost.at(lost) = 1;
		});
		CHECK(run.run().stalls == 1);
		CHECK(run.kinds() == Kinds{"session", "loop", "stall", "stall", "summary"});
	}
	SECTION("the end of the process") {
		run.at(4500 * ms, [&] {
			run.process_gone(server);
			run.collector.states.clear();
			run.collector.lost.at(lost) = 1;
		});
		CHECK(run.run().stalls == 1);
		CHECK(run.kinds() == Kinds{"session", "loop", "stall", "stall", "exit", "summary"});
		const ProcessExit exit = run.all<ProcessExit>()[0];
		CHECK_FALSE(exit.status);
		CHECK_FALSE(exit.signal);
		CHECK(run.passed_ns() < 10 * s); // nobody is left to follow
	}
	CHECK(run.stalls()[1].truncated == Truncated::end_lost);
	CHECK(run.stalls()[1].duration_ns == 2 * s);
	CHECK(run.summary().lost.at(lost) == 1);
	REQUIRE_FALSE(run.statuses.empty());
	CHECK(run.statuses.front().lost == 0);
	CHECK(run.statuses.back().lost == 1);
}

TEST_CASE("with --children a forked process is followed to its end, and the summary has both lives") {
	FakeRun run(with_children());
	const LoopKey parent = run.appears(server, server);
	LoopKey child;
	run.at(1 * s, [&] {
		run.process(worker, "worker", 200, server);
		run.event(Forked{run.now, server, worker, true});
	});
	run.at(2 * s, [&] { child = run.appears(worker, worker); });
	run.at(3 * s, [&] { run.blocks(child, 1); });
	run.at(6 * s, [&] {
		run.exits(worker, child, SIGKILL);
		run.process_gone(worker);
	});
	run.at(20 * s, [&] { run.exits(server, parent); });
	CHECK(run.run().stalls == 1);
	CHECK(run.kinds() == Kinds{"session", "loop", "fork", "loop", "stall", "stall", "exit", "exit", "summary"});
	CHECK(run.passed_ns() == 20 * s);
	CHECK(run.all<ProcessFork>()[0].child == worker);
	CHECK(run.stalls()[1].pid == worker);
	CHECK(run.stalls()[1].truncated == Truncated::target_exit);
	CHECK(run.all<ProcessExit>()[0].signal == "SIGKILL");
	const SessionSummary summary = run.summary();
	REQUIRE(summary.processes.size() == 2);
	CHECK(summary.processes[1].pid == worker);
	CHECK(summary.processes[1].parent == server);
	CHECK(summary.processes[1].lived_ns == 5 * s);
	CHECK(summary.processes[1].came_to_loop);
	CHECK(summary.loops.size() == 2);
}

TEST_CASE("with --children a process that is there already is followed, too, and without it is not") {
	const bool children = GENERATE(true, false);
	FakeRun run(children ? with_children() : FakeWorld::options());
	run.process(worker, "worker", 200, server);
	run.tree.link(std::to_string(worker) + "/exe", "/usr/bin/worker");
	const std::string tasks = std::to_string(server) + "/task/" + std::to_string(server) + "/";
	run.tree.file(tasks + "children", std::to_string(worker) + " ");
	run.appears(server, server);
	run.run();
	CHECK(run.collector.requests.size() == (children ? 2U : 1U));
	CHECK(run.collector.requests.back().pid == (children ? worker : server));
}

TEST_CASE("an exec ends the loop, and the new program's loop is another one") {
	FakeRun run;
	const LoopKey before = run.appears(server, server);
	run.at(1 * s, [&] { run.blocks(before, 1); });
	run.at(4 * s, [&] {
		run.collector.states.clear();
		run.event(Execed{run.now, server, "other", LoopEnd{before, 5, s, s, s}});
	});
	LoopKey after;
	run.at(5 * s, [&] { after = run.appears(server, server); });
	run.at(6 * s, [&] { run.ended(after, 1, 200 * ms); });
	CHECK(run.run().stalls == 2);
	CHECK(run.kinds() == Kinds{"session", "loop", "stall", "stall", "exec", "loop", "stall", "summary"});
	CHECK(run.stalls()[1].truncated == Truncated::target_exit);
	CHECK(run.all<ProcessExec>()[0].comm == "other");
	CHECK(run.stalls()[2].id == 2);
	CHECK(run.summary().loops.size() == 2);
	CHECK(run.passed_ns() == 60 * s); // it is followed on
}

TEST_CASE("another process under a pid is not the one that was followed, whose end is heard of late") {
	FakeRun run(with_children());
	run.appears(server, server);
	const auto fork = [&](unsigned born) {
		run.process_gone(worker);
		run.process(worker, "worker", born, server);
		run.event(Forked{run.now, server, worker, true});
	};
	LoopKey first, second;
	run.at(1 * s, [&] { fork(200); });
	run.at(2 * s, [&] { first = run.appears(worker, worker); });
	run.at(3 * s, [&] { run.blocks(first, 1); });
	run.at(7 * s, [&] {
		run.collector.states.erase(first);
		fork(900);
	});
	run.at(8 * s, [&] { second = run.appears(worker, worker); });
	run.at(9 * s, [&] {
		ThreadExited late;
		late.time_ns = run.begin_ns + 6500 * ms;
		late.pid = late.tid = worker;
		late.process_ended = true;
		run.event(late);
	});
	run.at(10 * s, [&] { run.ended(second, 1, 400 * ms); });
	CHECK(run.run().stalls == 2);
	CHECK(run.kinds() == Kinds{"session", "loop", "fork", "loop", "stall", "stall", "exit", "fork", "loop", "stall", "summary"});
	CHECK_FALSE(run.all<ProcessExit>()[0].status);
	CHECK(run.stalls()[1].truncated == Truncated::target_exit);
	CHECK(run.stalls()[2].duration_ns == 400 * ms);
	CHECK(run.summary().processes.size() == 3);
	CHECK(run.summary().loops.size() == 3);
}

TEST_CASE("a standstill begins, goes on and ends with the session") {
	Settings settings = FakeWorld::options();
	settings.stuck_after_ns = 10 * s;
	FakeRun run(settings);
	UnixService service(run);
	std::size_t gauges = 0;
	run.outputs.gauges = [&](const std::vector<ProcessGauges> &all) { gauges = std::max(gauges, all.size()); };
	const LoopKey key = run.appears(server, server);
	run.goes_idle(key);
	UniqueFd customer;
	run.at(5 * s, [&] { customer = service.customer(); }); // and is never accepted
	CHECK(run.run().stalls == 0);
	const auto standstills = run.all<Standstill>();
	REQUIRE(standstills.size() == 4);
	for (const Standstill &standstill : standstills) {
		CHECK(standstill.kind == StandstillKind::not_accepted);
		CHECK(standstill.id == standstills[0].id);
		CHECK(standstill.start_ns == standstills[0].start_ns);
		CHECK(standstill.started_at == standstills[0].started_at);
	}
	CHECK(standstills[0].start_ns >= run.begin_ns + 5 * s); // it is seen by the next round of snapshots
	CHECK(standstills[0].duration_ns >= 10 * s);
	CHECK(standstills[1].duration_ns >= 20 * s);
	CHECK(standstills[2].duration_ns >= 40 * s);
	CHECK(std::ranges::count(standstills, true, &Standstill::ongoing) == 3);
	CHECK(standstills[3].truncated == Truncated::session_end);
	CHECK(standstills[3].goes_on);
	CHECK(gauges == 1);
	CHECK(run.summary().standstills == 1);
	REQUIRE(run.summary().waited_for.size() == 1);
	CHECK(run.summary().waited_for[0].clients.not_accepted == 1);
	CHECK(std::ranges::any_of(run.statuses, [](const auto &status) { return status.standing_ns > 40 * s; }));
	CHECK_FALSE(run.statuses.back().standing_ns); // the session is over
}

TEST_CASE("a signal ends the session at once, and a stall that goes on has its last record") {
	FakeRun run;
	const LoopKey key = run.appears(server, server);
	run.at(1 * s, [&] { run.blocks(key, 1); });
	run.at(4 * s, [&] { run.signal(SIGTERM); });
	CHECK(run.run().stalls == 1);
	CHECK(run.stalls().back().goes_on);
	CHECK(run.passed_ns() < 4100 * ms);
}

TEST_CASE("SIGHUP opens the files again, where there are any; a resized terminal is told") {
	FakeRun run;
	const bool has_files = GENERATE(true, false);
	int reopened = 0, resized = 0;
	run.outputs.reopen = [&] {
		reopened++;
		return has_files;
	};
	run.outputs.winch = [&] {
		resized++;
		return true;
	};
	run.appears(server, server);
	run.at(1 * s, [&] { run.signal(SIGWINCH); });
	run.at(2 * s, [&] { run.signal(SIGHUP); });
	SECTION("from a process") {
		run.run();
		CHECK(run.passed_ns() >= (has_files ? 60 * s : 2 * s));
		CHECK(run.passed_ns() < (has_files ? 60 * s + 1 : 3 * s));
		CHECK(reopened == 1);
	}
	CHECK(resized == 1);
}

TEST_CASE("the kernel's tables are lent until the summary is out") {
	FakeRun run;
	const LoopKey key = run.appears(server, server);
	std::function<session::LiveNumbers()> read;
	run.outputs.live = [&](std::function<session::LiveNumbers()> lent) { read = std::move(lent); };
	bool lent = false;
	run.at(30 * s, [&] {
		REQUIRE(read);
		run.collector.lost.at(1) = 4; // read once a second
		CHECK(read().now_ns == run.begin_ns + 30 * s);
		CHECK(read().loops.size() == 1);
		CHECK(read().lost.at(1) == 0);
	});
	run.at(32 * s, [&] {
		CHECK(read().lost.at(1) == 4);
		lent = true;
	});
	run.at(33 * s, [&] { run.exits(server, key); });
	run.run();
	CHECK(lent);
	CHECK_FALSE(read);
}

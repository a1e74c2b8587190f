// SPDX-License-Identifier: Apache-2.0
// Which threads are loops, and what becomes of them.
#include "session/loop_registry.h"

#include "catch.h"
#include "fakes/fake_session.h"

using namespace loopsnoop;
using session::LoopStatus;

TEST_CASE("a thread that polls is a loop, and is reported as one once") {
	FakeSession fake;
	const LoopKey key = fake.appears(server, server);
	const auto found = fake.all<LoopFound>();
	REQUIRE(found.size() == 1);
	CHECK(found[0].pid == server);
	CHECK(found[0].comm == "server");
	CHECK(found[0].start_ns == fake.now);
	REQUIRE(found[0].poll);
	CHECK(found[0].poll->syscall == "epoll_wait");
	CHECK(found[0].poll->fd == 3);
	CHECK(fake.collector.sampled.contains(key));
	CHECK(fake.parts.loops.find(key)->status == LoopStatus::polling);
	CHECK(fake.parts.loops.current().size() == 1);
	CHECK(fake.parts.processes.find(server)->has_loop);
}

TEST_CASE("a main thread that has not polled is reported once it takes long, and again when it polls") {
	FakeSession fake;
	fake.parts.processes.expect(server, session::Processes::Asked::by_name);
	const LoopKey key = fake.appears(server, server, true);
	fake.blocks(key, 0);
	CHECK(fake.parts.loops.find(key)->status == LoopStatus::starting);
	fake.tick_after(1 * s);
	CHECK(fake.records.empty());
	fake.tick_after(2 * s);
	auto found = fake.all<LoopFound>();
	REQUIRE(found.size() == 1);
	CHECK_FALSE(found[0].poll);
	CHECK(fake.collector.weak_accepted.contains(server));
	REQUIRE(fake.stalls().size() == 1);
	CHECK(fake.stalls()[0].no_loop_yet);

	fake.appears_again(key, false);
	found = fake.all<LoopFound>();
	REQUIRE(found.size() == 2);
	CHECK(found[1].poll);
	CHECK(fake.parts.loops.find(key)->status == LoopStatus::polling);
}

TEST_CASE("a main thread that does not poll is no loop while another thread of its process is") {
	FakeSession fake;
	const LoopKey main = fake.appears(server, server, true);
	fake.appears(server, server + 10);
	fake.blocks(main, 0);
	fake.tick_after(3 * s);
	CHECK(fake.collector.ignored.contains(main));
	CHECK(fake.parts.loops.find(main)->status == LoopStatus::ignored);
	CHECK(fake.stalls().empty());
	CHECK(fake.all<LoopFound>().size() == 1);
}

TEST_CASE("a thread that was ignored and polls after all is a loop again") {
	FakeSession fake;
	const LoopKey main = fake.appears(server, server, true);
	fake.parts.loops.ignore(*fake.parts.loops.find(main));
	REQUIRE(fake.collector.ignored.contains(main));
	fake.appears_again(main, false);
	CHECK_FALSE(fake.collector.ignored.contains(main));
	CHECK(fake.parts.loops.find(main)->status == LoopStatus::polling);
}

TEST_CASE("threads of a found process that share a poll descriptor are a pool, not loops") {
	FakeSession fake;
	fake.parts.processes.expect(server, session::Processes::Asked::found);
	const LoopKey first = fake.appears(server, server + 1, false, 5);
	const LoopKey other = fake.appears(server, server + 2, false, 6);
	const LoopKey second = fake.appears(server, server + 3, false, 5);
	CHECK(fake.collector.pools == std::set{server});
	CHECK(fake.collector.ignored == std::set{first, second});
	CHECK(fake.parts.loops.find(other)->status == LoopStatus::polling);
	fake.ended(first, 1, 5 * s);
	CHECK(fake.stalls().empty());
}

TEST_CASE("of a process whose thread was named no other is a loop while that one lives") {
	auto options = FakeSession::options();
	options.tids = {server + 1};
	FakeSession fake(options);
	fake.tree.file(std::to_string(server) + "/task/" + std::to_string(server + 1) + "/comm", "named\n");
	const LoopKey other = fake.appears(server, server + 2);
	const LoopKey named = fake.appears(server, server + 1);
	CHECK(fake.collector.ignored == std::set{other});
	CHECK(fake.parts.loops.find(named)->status == LoopStatus::polling);
	std::filesystem::remove_all(fake.tree.path(std::to_string(server) + "/task"));
	const LoopKey third = fake.appears(server, server + 3);
	CHECK(fake.parts.loops.find(third)->status == LoopStatus::polling);
}

TEST_CASE("the totals of a loop that ended are the kernel's, and of many the latest are kept") {
	FakeSession fake;
	constexpr std::uint32_t kept = 4096, more = 10;
	for (std::uint32_t i = 0; i < kept + more; i++) {
		const LoopKey key = fake.appears(server, server + i);
		fake.collector.states.erase(key);
		ThreadExited exit;
		exit.pid = server;
		exit.tid = server + i;
		exit.loop = LoopEnd{key, i, 2 * s, 3 * s, 1 * s};
		fake.event(exit);
	}
	const auto totals = fake.parts.loops.totals();
	REQUIRE(totals.size() == kept);
	CHECK(totals.front().tid == server + more);
	CHECK(totals.back().iterations == kept + more - 1);
	CHECK(totals.back().busy_ns == 2 * s);
	CHECK(fake.parts.loops.totals_left_out() == more);
	CHECK(fake.parts.loops.all().empty());
}

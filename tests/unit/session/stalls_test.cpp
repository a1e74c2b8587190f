// SPDX-License-Identifier: Apache-2.0
// Stalls from their first sign to their last record.
#include <algorithm>

#include "catch.h"
#include "fakes/fake_session.h"

using namespace loopsnoop;

TEST_CASE("an iteration over the threshold is a stall, a shorter one is not") {
	FakeSession fake;
	const LoopKey key = fake.appears(server, server);
	fake.now += s;
	fake.ended(key, 1, 99 * ms);
	CHECK(fake.stalls().empty());
	fake.ended(key, 2, 100 * ms);
	REQUIRE(fake.stalls().size() == 1);
	const Stall stall = fake.stalls()[0];
	CHECK(stall.id == 1);
	CHECK(stall.start_ns == fake.now - 100 * ms);
	CHECK(stall.duration_ns == 100 * ms);
	CHECK(stall.truncated == Truncated::no);
	CHECK_FALSE(stall.ongoing);
	CHECK(stall.cause == Cause::sleep);
	CHECK(fake.parts.totals.stalls() == 1);
	CHECK(fake.parts.totals.stalled_ns() == 100 * ms);
	CHECK(fake.parts.loops.find(key)->totals.stalled_ns == 100 * ms);
}

TEST_CASE("an event of a loop that nobody knows is dropped") {
	FakeSession fake;
	const LoopKey key = fake.appears(server, server);
	const LoopKey other{key.slot, key.generation + 1};
	fake.collector.states[other] = fake.collector.states.at(key);
	fake.ended(other, 1, 5 * s);
	CHECK(fake.stalls().empty());
}

TEST_CASE("a stall that goes on is reported at --hang-after and at each doubling, and ends once") {
	FakeSession fake;
	const LoopKey key = fake.appears(server, server);
	fake.blocks(key, 1);
	fake.tick_after(1999 * ms);
	CHECK(fake.stalls().empty());
	CHECK(fake.parts.tick.next_due_ns() == fake.now + 1 * ms);
	fake.tick_after(1 * ms);
	REQUIRE(fake.stalls().size() == 1);
	CHECK(fake.stalls()[0].ongoing);
	CHECK(fake.stalls()[0].duration_ns == 2 * s);
	CHECK(part_of(fake.stalls()[0].breakdown, Cause::sleep).ns == 2 * s);
	CHECK(fake.parts.totals.stalls() == 0);
	fake.tick_after(1 * s);
	CHECK(fake.stalls().size() == 1);
	fake.tick_after(1 * s);
	CHECK(fake.stalls().size() == 2);
	fake.tick_after(4 * s);
	REQUIRE(fake.stalls().size() == 3);
	CHECK(fake.parts.ongoing.oldest_ns() == 8 * s);

	fake.now += s;
	fake.goes_idle(key);
	fake.ended(key, 1, 9 * s);
	fake.tick_after(s);
	fake.tick_after(s);
	const auto stalls = fake.stalls();
	REQUIRE(stalls.size() == 4);
	CHECK_FALSE(stalls[3].ongoing);
	CHECK(stalls[3].duration_ns == 9 * s);
	CHECK(std::ranges::all_of(stalls, [&](const Stall &stall) { return stall.id == stalls[0].id; }));
	CHECK(fake.parts.totals.stalls() == 1);
	CHECK_FALSE(fake.parts.ongoing.oldest_ns());
}

TEST_CASE("a stall whose end was lost ends as what was reported last, after it was missed twice") {
	FakeSession fake;
	const LoopKey key = fake.appears(server, server);
	fake.blocks(key, 1);
	fake.tick_after(2 * s);
	fake.goes_idle(key);
	SECTION("and all events were handled") {
		fake.tick_after(50 * ms);
		CHECK(fake.stalls().size() == 1);
		fake.tick_after(50 * ms);
		REQUIRE(fake.stalls().size() == 2);
		CHECK(fake.stalls()[1].truncated == Truncated::end_lost);
		CHECK(fake.stalls()[1].duration_ns == 2 * s);
		CHECK(fake.parts.totals.stalls() == 1);
	}
	SECTION("but not while events wait to be handled") {
		for (int i = 0; i < 5; i++) {
			fake.now += 50 * ms;
			fake.parts.tick.tick(session::SessionTick::Handled::some);
		}
		CHECK(fake.stalls().size() == 1);
	}
	SECTION("or when a later iteration ends") {
		fake.ended(key, 2, 300 * ms);
		const auto stalls = fake.stalls();
		REQUIRE(stalls.size() == 3);
		CHECK(stalls[1].id == 1);
		CHECK(stalls[1].truncated == Truncated::end_lost);
		CHECK(stalls[2].id == 2);
		CHECK(stalls[2].duration_ns == 300 * ms);
	}
}

TEST_CASE("a stall that still runs when the session ends gets its last record, and no other after that") {
	FakeSession fake;
	const LoopKey key = fake.appears(server, server);
	fake.blocks(key, 1);
	fake.now += 500 * ms;
	fake.parts.tick.finish();
	REQUIRE(fake.stalls().size() == 1);
	CHECK(fake.stalls()[0].goes_on);
	CHECK_FALSE(fake.stalls()[0].ongoing);
	CHECK(fake.stalls()[0].truncated == Truncated::session_end);
	fake.goes_idle(key);
	fake.ended(key, 1, 500 * ms);
	const auto totals = fake.parts.tick.end();
	CHECK(fake.stalls().size() == 1);
	REQUIRE(totals.size() == 1);
	CHECK(totals[0].stalls == 1);
}

TEST_CASE("an iteration younger than the threshold is no stall when the session ends") {
	FakeSession fake;
	const LoopKey key = fake.appears(server, server);
	fake.blocks(key, 1);
	fake.now += 50 * ms;
	fake.parts.tick.finish();
	CHECK(fake.stalls().empty());
}

TEST_CASE("a wait of the iteration explains its stall, one of another iteration does not") {
	FakeSession fake;
	const LoopKey key = fake.appears(server, server);
	RawWait wait;
	wait.key = key;
	wait.pid = wait.tid = server;
	wait.iteration = 1;
	wait.cause = Cause::sleep;
	wait.syscall = 230; // clock_nanosleep
	wait.start_ns = fake.now;
	wait.end_ns = fake.now + 200 * ms;
	wait.off_ns = 200 * ms;
	wait.count = 1;
	wait.target.sleeps = true;
	fake.event(wait);
	fake.now += s;
	fake.ended(key, 1, 200 * ms);
	REQUIRE(fake.stalls().size() == 1);
	REQUIRE(fake.stalls()[0].waits.size() == 1);
	CHECK(fake.stalls()[0].waits[0].duration_ns == 200 * ms);
	CHECK(fake.stalls()[0].waits[0].syscall == "clock_nanosleep");
	wait.iteration = 2;
	fake.event(wait);
	fake.ended(key, 3, 400 * ms);
	REQUIRE(fake.stalls().size() == 2);
	CHECK(fake.stalls()[1].waits.empty());
}

TEST_CASE("samples count for the time that they stand for") {
	FakeSession fake;
	const LoopKey key = fake.appears(server, server);
	RawSample sample;
	sample.key = key;
	sample.pid = sample.tid = server;
	sample.iteration = 1;
	sample.time_ns = fake.now;
	sample.periods = 150;
	sample.stack.kernel = {0xffffffff81000000};
	fake.event(std::move(sample));
	fake.now += s;
	IterationEnded end;
	end.key = key;
	end.iteration = 1;
	end.start_ns = fake.now - 200 * ms;
	end.end_ns = fake.now;
	fake.event(end);
	REQUIRE(fake.stalls().size() == 1);
	CHECK(fake.stalls()[0].cause == Cause::cpu);
	REQUIRE(fake.stalls()[0].cpu.size() == 1);
	CHECK(fake.stalls()[0].cpu[0].ns == 150 * ms);
}

TEST_CASE("a stall that waited for the GIL has that cause; no holder where no interpreter can be read") {
	FakeSession fake;
	const LoopKey key = fake.appears(server, server);
	RawGilWait wait;
	wait.key = key;
	wait.pid = wait.tid = server;
	wait.iteration = 1;
	wait.start_ns = fake.now;
	wait.waited_ns = 150 * ms;
	wait.holder_state = 0x7000;
	wait.holder_thread_id = 0x8000;
	wait.holder_native_id = server + 5;
	fake.event(wait);
	fake.now += s;
	IterationEnded end;
	end.key = key;
	end.iteration = 1;
	end.start_ns = fake.now - 200 * ms;
	end.end_ns = fake.now;
	part_of(end.breakdown, Cause::gil) = {150 * ms, 1};
	fake.event(end);
	REQUIRE(fake.stalls().size() == 1);
	CHECK(fake.stalls()[0].cause == Cause::gil);
	CHECK(part_of(fake.stalls()[0].breakdown, Cause::gil).ns == 150 * ms);
	CHECK((!fake.stalls()[0].gil || fake.stalls()[0].gil->holders.empty()));
}

TEST_CASE("hundreds of loops that hang at once are each reported and each end once") {
	FakeSession fake;
	constexpr std::uint32_t count = 500;
	std::vector<LoopKey> keys;
	for (std::uint32_t i = 0; i < count; i++) {
		keys.push_back(fake.appears(server, server + i, false, static_cast<int>(i)));
		fake.blocks(keys.back(), 1);
	}
	fake.tick_after(2 * s);
	CHECK(fake.stalls().size() == count);
	for (const LoopKey key : keys) {
		fake.goes_idle(key);
		fake.ended(key, 1, 2 * s);
	}
	const auto stalls = fake.stalls();
	REQUIRE(stalls.size() == 2 * count);
	std::map<std::uint64_t, int> ends;
	for (const Stall &stall : stalls) {
		ends[stall.id] += stall.ongoing ? 0 : 1;
	}
	CHECK(ends.size() == count);
	CHECK(std::ranges::all_of(ends, [](const auto &one) { return one.second == 1; }));
	CHECK(fake.parts.totals.stalls() == count);
}

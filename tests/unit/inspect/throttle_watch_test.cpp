// SPDX-License-Identifier: Apache-2.0
#include "inspect/throttle_watch.h"

#include <string>

#include "catch.h"
#include "fixture.h"

using namespace loopsnoop;
using inspect::ThrottleWatch;

namespace {

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t s = 1'000'000'000;
constexpr std::uint64_t any = 3600 * s; // however much it is

struct Machine {
	FixtureTree tree;
	ThrottleWatch watch{process::ProcFs(tree.root())};

	Machine() {
		tree.file("self/mountinfo", "31 25 0:26 / " + tree.path("cg") + " rw shared:9 - cgroup2 cgroup2 rw\n");
		tree.file("7/cgroup", "0::/app\n");
	}
	void throttled(std::uint64_t total_us) const {
		tree.file("cg/app/cpu.stat", "nr_throttled 1\nthrottled_usec " + std::to_string(total_us) + "\n");
	}
};

} // namespace

TEST_CASE("throttling is what the counter moved since the last reading before the start") {
	Machine machine;
	machine.throttled(1000);
	machine.watch.tick(7, 10 * s);
	machine.throttled(81'000);
	CHECK(machine.watch.since(7, 10 * s + 50 * ms, 10 * s + 200 * ms, any) == 80 * ms);
	machine.throttled(161'000);
	machine.watch.tick(7, 10 * s + 300 * ms); // it moves: read at every tick
	machine.throttled(171'000);
	CHECK(machine.watch.since(7, 10 * s + 310 * ms, 10 * s + 400 * ms, any) == 10 * ms);
	CHECK(machine.watch.since(7, 10 * s + 250 * ms, 10 * s + 410 * ms, any) == 90 * ms);
	CHECK(machine.watch.since(7, 11 * s, 12 * s, any) == 0U);
}

TEST_CASE("a counter that stands still is read once a second") {
	Machine machine;
	machine.throttled(0);
	machine.watch.tick(7, 10 * s);
	machine.throttled(5000);
	machine.watch.tick(7, 10 * s + 999 * ms);
	CHECK(machine.watch.since(7, 10 * s + 999 * ms, 11 * s, any) == 5 * ms);
}

TEST_CASE("of stalls that hardly waited for a CPU the counter is not read for each") {
	Machine machine;
	machine.throttled(1000);
	machine.watch.tick(7, 10 * s);
	machine.throttled(81'000);
	CHECK(machine.watch.since(7, 10 * s + ms, 10 * s + 10 * ms, 900'000) == 0U);
	CHECK(machine.watch.since(7, 10 * s + ms, 10 * s + 60 * ms, 900'000) == 900'000U); // some time has passed
	CHECK(machine.watch.since(7, 10 * s + ms, 10 * s + 61 * ms, 20 * ms) == 20 * ms);
}

TEST_CASE("throttling that is not known is not reported") {
	Machine machine;
	CHECK_FALSE(machine.watch.since(7, 1 * s, 2 * s, any)); // no cpu.stat
	machine.throttled(5000);
	CHECK_FALSE(machine.watch.since(7, 3 * s, 4 * s, any)); // the first reading is after the start
	machine.throttled(4000);                                // another cgroup
	CHECK_FALSE(machine.watch.since(7, 5 * s, 6 * s, any));
	CHECK(machine.watch.since(7, 7 * s, 8 * s, any) == 0U);
	machine.watch.forget(7);
	CHECK_FALSE(machine.watch.since(7, 9 * s, 10 * s, any));
}

TEST_CASE("a long hang under a limit keeps its beginning") {
	Machine machine;
	machine.throttled(0);
	machine.watch.tick(7, 10 * s);
	for (std::uint64_t i = 1; i <= 2000; i++) {
		machine.throttled(i * 80'000);
		machine.watch.tick(7, 10 * s + i * 100 * ms);
	}
	CHECK(machine.watch.since(7, 10 * s + ms, 220 * s, any) == 2000 * 80 * ms);
}

// SPDX-License-Identifier: Apache-2.0
#include "base/pulse.h"

#include <algorithm>

#include "catch.h"

using loopsnoop::Pulse;

TEST_CASE("a thread that stands still for two seconds is counted, while it does and afterwards") {
	constexpr std::uint64_t s = 1'000'000'000;
	Pulse pulse("drain");
	CHECK(pulse.read(100 * s).for_ns == 0); // it has not begun
	pulse.beat(100 * s);
	CHECK(pulse.read(102 * s - 1).for_ns == 0);
	CHECK(pulse.read(103 * s).for_ns == 3 * s);
	CHECK(pulse.read(103 * s).times == 1);
	pulse.beat(105 * s);
	CHECK(pulse.read(105 * s).for_ns == 0);
	CHECK(pulse.read(105 * s).times == 1);
	CHECK(pulse.read(105 * s).stalled_ns == 5 * s);
	pulse.beat(106 * s);
	CHECK(pulse.read(106 * s).times == 1);
	CHECK(pulse.read(109 * s).stalled_ns == 8 * s);
	CHECK(pulse.read(1 * s).for_ns == 0); // before it
}

TEST_CASE("who waits for as long as it may take does not stand still") {
	Pulse pulse("drain");
	pulse.rest();
	CHECK(pulse.read(~0ULL).for_ns == 0);
	pulse.beat(~0ULL - 1);
	CHECK(pulse.read(~0ULL).times == 0);
}

TEST_CASE("all that live are read") {
	const auto count = [] { return std::ranges::count(Pulse::read_all(), "one of this test", &Pulse::Reading::thread); };
	{
		const Pulse one("one of this test"), other("one of this test");
		CHECK(count() == 2);
	}
	CHECK(count() == 0);
}

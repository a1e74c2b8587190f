// SPDX-License-Identifier: Apache-2.0
#include "output/wall_clock.h"

#include "catch.h"
#include "examples.h"

using namespace loopsnoop::output;
using namespace loopsnoop::output::examples;

TEST_CASE("RFC 3339 times are read as base/clock.h writes them") {
	CHECK(parse_rfc3339_utc("1970-01-01T00:00:00Z") == 0U);
	CHECK(parse_rfc3339_utc("1970-01-01T00:00:01.5Z") == 1'500'000'000U);
	CHECK(parse_rfc3339_utc("2026-11-22T14:03:20.000123Z") == 1'795'356'200'000'123'000U);
	CHECK(parse_rfc3339_utc(started_at(begin)) == 1'795'356'200'000'000'000U);
	for (const char *bad :
	     {"", "Z", "2026-11-22", "2026-11-22T14:03:20", "2026-11-22T14:03:20+01:00", "2026-11-22T14:03:20.12x4Z",
	      "2026-11-22 14:03:20.000000Z", "-026-11-22T14:03:20.0Z", "9999-12-31T23:59:59.0Z", "20a6-11-22T14:03:20.0Z"}) {
		INFO(bad);
		CHECK_FALSE(parse_rfc3339_utc(bad).has_value());
	}
}

TEST_CASE("monotonic times become times of day") {
	WallClock clock;
	CHECK(clock.time_of_day(5) == "--:--:--.---");
	CHECK(clock.date(5).empty());
	clock.set("rubbish", begin);
	CHECK(clock.time_of_day(5) == "--:--:--.---");
	clock.set(started_at(begin), begin);
	CHECK(clock.time_of_day(begin + 1'234 * ms) == "14:03:21.234");
	CHECK(clock.date(begin) == "2026-11-22 14:03:20");
	clock.set("1970-01-02T00:00:00.0Z", ~0ULL); // no such time: kept out
	CHECK(clock.time_of_day(begin) == "14:03:20.000");
	CHECK(clock.time_of_day(1ULL << 63U) == "--:--:--.---");
}

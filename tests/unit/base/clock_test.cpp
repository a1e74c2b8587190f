// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include "catch.h"

using namespace loopsnoop;

TEST_CASE("points in time are RFC 3339 in UTC with microseconds") {
	CHECK(rfc3339_utc(0) == "1970-01-01T00:00:00.000000Z");
	CHECK(rfc3339_utc(1'795'324'168'000'123'999) == "2026-11-22T05:09:28.000123Z");
}

TEST_CASE("the monotonic clock does not go back") {
	const auto first = monotonic_ns();
	CHECK(monotonic_ns() >= first);
}

// SPDX-License-Identifier: Apache-2.0
#include "base/duration.h"

#include "catch.h"

using namespace loopsnoop;

TEST_CASE("durations are parsed with their units") {
	CHECK(parse_duration_ns("100") == 100'000'000U);
	CHECK(parse_duration_ns("500us") == 500'000U);
	CHECK(parse_duration_ns("20ms") == 20'000'000U);
	CHECK(parse_duration_ns("1.5s") == 1'500'000'000U);
	CHECK(parse_duration_ns("2m") == 120'000'000'000U);
	CHECK(parse_duration_ns("0") == 0U);
}

TEST_CASE("what is not a duration is refused") {
	for (const char *bad : {"", "s", ".", "-5ms", "1.2.3s", "5 ms", "5days", "1e9", "99999999999h", "nan", "0x10"}) {
		INFO(bad);
		CHECK_FALSE(parse_duration_ns(bad).has_value());
	}
}

TEST_CASE("durations are written for people") {
	CHECK(format_duration(850'000) == "850 us");
	CHECK(format_duration(2'340'000) == "2.3 ms");
	CHECK(format_duration(320'900'000) == "320 ms");
	CHECK(format_duration(1'429'000'000) == "1.42 s");
	CHECK(format_duration(41'900'000'000) == "41.9 s");
	CHECK(format_duration(60'900'000'000) == "60 s");
	CHECK(format_duration(185'000'000'000) == "3 min 05 s");
	CHECK(format_duration(7'440'000'000'000) == "2 h 04 min");
}

TEST_CASE("durations that somebody chose are rounded") {
	CHECK(format_rounded_duration(850'600) == "851 us");
	CHECK(format_rounded_duration(2'360'000) == "2.4 ms");
	CHECK(format_rounded_duration(299'969'000) == "300 ms");
	CHECK(format_rounded_duration(299'400'000) == "299 ms");
	CHECK(format_rounded_duration(999'700'000) == "1.00 s");
	CHECK(format_rounded_duration(2'499'600'000) == "2.50 s");
	CHECK(format_rounded_duration(41'960'000'000) == "42.0 s");
	CHECK(format_rounded_duration(184'600'000'000) == "3 min 05 s");
	CHECK(format_rounded_duration(7'440'000'000'000) == "2 h 04 min");
	CHECK(format_rounded_duration(0) == "0 us");
}

// SPDX-License-Identifier: Apache-2.0
#include "output/session_text.h"

#include <string>

#include "catch.h"

using namespace loopsnoop;

namespace {

GaugesChange grown() {
	GaugesChange change;
	change.comm = "python3";
	change.service = "shop";
	change.last.pid = 7;
	change.first.time_ns = 60'000'000'000;
	change.last.time_ns = 1'560'000'000'000;
	change.first.tasks = 11;
	change.last.tasks = 1212;
	change.last.places = {{{"article", "/srv/shop/api.py", 47}, 1198}};
	return change;
}

} // namespace

TEST_CASE("what has grown in a session, in a line") {
	CHECK(output::format_growth(grown()) ==
	      "grown in shop (pid 7): tasks 11 → 1,212 in 25 min 00 s, 1,198 of the tasks in article (/srv/shop/api.py:47)");
}

TEST_CASE("connections that have grown are told with the remote that has most of them") {
	GaugesChange change = grown();
	change.first.outbound = 3;
	change.last.outbound = 90;
	change.last.outbound_to = {{"10.0.0.5:5432", 84}, {"10.0.0.6:80", 6}};
	change.first.inbound = 10;
	change.last.inbound = 60;
	change.last.inbound_from = {{"10.0.0.9", 20}, {"10.0.0.8", 20}}; // no single one
	const std::string text = output::format_growth(change);
	CHECK(text.find("connections in 10 → 60, connections out 3 → 90 (84 to 10.0.0.5:5432) in 25 min 00 s") != std::string::npos);
	change.last.inbound_from.front().count = 30;
	CHECK(output::format_growth(change).find("connections in 10 → 60 (30 from 10.0.0.9), ") != std::string::npos);
	change.first.outbound = 60; // not twice as many: not told
	CHECK(output::format_growth(change).find("10.0.0.5") == std::string::npos);
}

// SPDX-License-Identifier: Apache-2.0
#include "output/repeats.h"

#include "catch.h"
#include "examples.h"

using namespace loopsnoop;
using namespace loopsnoop::output;
using namespace loopsnoop::output::examples;

TEST_CASE("the first of a kind is shown, those after it are counted and shown in time") {
	Repeats repeats(5 * s);
	CHECK(repeats.first_of_kind(database_stall(1, begin, 320 * ms), begin));
	CHECK_FALSE(repeats.first_of_kind(database_stall(2, begin + s, 120 * ms), begin + s));
	CHECK(repeats.due(begin + 5 * s).empty());
	CHECK_FALSE(repeats.first_of_kind(database_stall(3, begin + 3 * s, 250 * ms), begin + 3 * s));
	const std::vector<std::string> lines = repeats.due(begin + 6 * s);
	REQUIRE(lines.size() == 1);
	CHECK(lines[0] ==
	      "×2 in 5.00 s, 120–250 ms each, 370 ms in all: audit_middleware (/srv/app/gateway/audit.py:57), waiting on a socket: "
	      "tcp 127.0.0.1:5432 of postgres (pid 812)");
	CHECK(repeats.due(begin + 60 * s, true).empty());
	CHECK_FALSE(repeats.first_of_kind(database_stall(4, begin + 61 * s, 130 * ms), begin + 61 * s));
	CHECK(repeats.due(begin + 62 * s).empty());
	REQUIRE(repeats.due(begin + 62 * s, true).size() == 1);
}

TEST_CASE("another line, cause or process is another kind; another port or duration is not") {
	Repeats repeats(5 * s);
	const Stall stall = database_stall(1, begin, 320 * ms);
	CHECK(repeats.first_of_kind(stall, begin));
	Stall other = stall;
	other.culprit->line = 58;
	CHECK(repeats.first_of_kind(other, begin));
	other = stall;
	other.cause = Cause::cpu;
	CHECK(repeats.first_of_kind(other, begin));
	other = stall;
	other.pid = 4712;
	CHECK(repeats.first_of_kind(other, begin));
	other = stall;
	std::get<SocketResource>(other.waits[0].resource->is).local = "127.0.0.1:60000";
	CHECK_FALSE(repeats.first_of_kind(other, begin));
}

TEST_CASE("without a culprit the stack makes the kind") {
	Repeats repeats(5 * s);
	Stall stall = database_stall(1, begin, 320 * ms);
	stall.culprit.reset();
	CHECK(repeats.first_of_kind(stall, begin));
	CHECK_FALSE(repeats.first_of_kind(stall, begin));
	stall.waits[0].stack->python[0].function = "do_rollback";
	CHECK(repeats.first_of_kind(stall, begin));
	stall.waits[0].stack.reset();
	CHECK(repeats.first_of_kind(stall, begin));
	stall.waits.clear();
	CHECK(repeats.first_of_kind(stall, begin));
	CHECK_FALSE(repeats.first_of_kind(stall, begin));
}

TEST_CASE("kinds are bounded, and what was counted of a forgotten one is shown") {
	Repeats repeats(5 * s);
	CHECK(repeats.first_of_kind(database_stall(1, begin, 320 * ms), begin));
	CHECK_FALSE(repeats.first_of_kind(database_stall(2, begin, 320 * ms), begin));
	Stall stall = database_stall(3, begin, 320 * ms);
	for (int line = 100; line < 1300; line++) {
		stall.culprit->line = line;
		CHECK(repeats.first_of_kind(stall, begin + static_cast<std::uint64_t>(line)));
	}
	REQUIRE(repeats.due(begin + s).size() == 1);
	CHECK(repeats.first_of_kind(database_stall(4, begin, 320 * ms), begin + s));
}

TEST_CASE("the same in several processes that people call the same is one line, which says of whom") {
	Repeats repeats(5 * s);
	Stall stall = database_stall(1, begin, 320 * ms);
	stall.name.service = "uvicorn shop:app";
	CHECK(repeats.first_of_kind(stall, begin));
	for (std::uint32_t i = 0; i < 4; i++) {
		stall.pid = 4712 + i % 2;
		CHECK_FALSE(repeats.first_of_kind(stall, begin));
	}
	const std::vector<std::string> lines = repeats.due(begin + 6 * s);
	REQUIRE(lines.size() == 1);
	CHECK(lines[0].find("320 ms each, 1.28 s in all in 2 processes of uvicorn shop:app: audit_middleware") != std::string::npos);
	repeats.name_processes();
	CHECK_FALSE(repeats.first_of_kind(stall, begin + 10 * s));
	const std::vector<std::string> one = repeats.due(begin + 20 * s);
	REQUIRE(one.size() == 1);
	CHECK(one[0].starts_with("uvicorn shop:app (pid 4713) again, 320 ms: audit_middleware"));
}

TEST_CASE("a folded line keeps who held the GIL and what throttled") {
	Repeats repeats(5 * s);
	Stall stall = database_stall(1, begin, 320 * ms);
	stall.cause = Cause::runqueue;
	stall.throttled_ns = 177 * ms;
	stall.limit = CgroupLimit{"/shop", 10 * ms, 100 * ms, std::nullopt};
	CHECK(repeats.first_of_kind(stall, begin));
	CHECK_FALSE(repeats.first_of_kind(stall, begin));
	const std::vector<std::string> lines = repeats.due(begin + 6 * s);
	REQUIRE(lines.size() == 1);
	CHECK(lines[0].find("(its cgroup /shop was throttled for 177 ms: 10 ms of CPU in each 100 ms)") != std::string::npos);
}

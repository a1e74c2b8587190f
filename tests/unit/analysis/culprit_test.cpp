// SPDX-License-Identifier: Apache-2.0
#include "analysis/culprit.h"

#include "analysis/stalls.h"
#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::analysis_test;

TEST_CASE("the culprit is the innermost frame of the application, not the library it called") {
	Stall stall;
	stall.cause = Cause::socket;
	stall.waits = {wait(Cause::socket, "recvfrom", 0, 100, {library(), application(57), application(12)})};
	const auto culprit = find_culprit(stall);
	REQUIRE(culprit.has_value());
	CHECK(culprit->line == 57);
}

TEST_CASE("many short waits on one line outweigh a longer one on another") {
	Stall stall;
	stall.cause = Cause::socket;
	stall.waits = {wait(Cause::socket, "recvfrom", 0, 40, {application(1)}),
	               wait(Cause::socket, "recvfrom", 50, 50, {application(2)}),
	               wait(Cause::socket, "recvfrom", 110, 40, {application(1)})};
	CHECK(find_culprit(stall)->line == 1);
}

TEST_CASE("waits of another cause are not blamed") {
	Stall stall;
	stall.cause = Cause::futex;
	stall.waits = {wait(Cause::socket, "recvfrom", 0, 100, {application(1)}), wait(Cause::futex, "futex", 200, 60, {library()})};
	CHECK_FALSE(find_culprit(stall).has_value());
	CHECK(main_wait(stall)->cause == Cause::futex);
}

TEST_CASE("of a stall that computes it is the line with most samples") {
	Stall stall;
	stall.cause = Cause::cpu;
	CpuPart few{2, 10, {}}, most{9, 45, {}};
	few.stack.python = {application(3)};
	most.stack.python = {library(), application(4)};
	stall.cpu = {few, most};
	CHECK(find_culprit(stall)->line == 4);
}

TEST_CASE("native frames count only without interpreter frames, and the C library never") {
	Stall stall;
	stall.cause = Cause::sleep;
	Wait one = wait(Cause::sleep, "clock_nanosleep", 0, 100, {});
	one.stack.emplace();
	one.stack->native = {{"clock_nanosleep", "/usr/lib/x86_64-linux-gnu/libc.so.6", 1, std::nullopt, std::nullopt},
	                     {"serve", "/srv/server", 2, "/src/server.c", 31}};
	stall.waits = {one};
	CHECK(find_culprit(stall)->function == "serve");
	CHECK(find_culprit(stall)->line == 31);
	stall.waits[0].stack->python = {library()};
	CHECK_FALSE(find_culprit(stall).has_value());
}

TEST_CASE("no waits, no culprit") {
	Stall stall;
	CHECK_FALSE(find_culprit(stall).has_value());
	CHECK(main_wait(stall) == nullptr);
}

TEST_CASE("a loop that goes round calls what lies further in than what it always has") {
	const SourceFrame main{"<module>", "/srv/app.py", 90}, run{"run", "/usr/lib/python3.11/asyncio/runners.py", 190};
	const SourceFrame select{"select", "/usr/lib/python3.11/selectors.py", 468}, ready{"ready", "/srv/app.py", 12};
	const SourceFrame seldom{"tick", "/srv/app.py", 30};
	CHECK_FALSE(callback_of({}).has_value());
	CHECK_FALSE(callback_of({{run, main}, {select, run, main}, {}}).has_value());
	const auto found = callback_of(
	    {{run, main}, {select, run, main}, {ready, run, main}, {seldom, run, main}, {ready, run, main}, {select}, {seldom}});
	REQUIRE(found.has_value());
	CHECK(found->function == "ready");
}

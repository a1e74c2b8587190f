// SPDX-License-Identifier: Apache-2.0
#include "analysis/gil_holders.h"

#include <variant>

#include "analysis/stalls.h"
#include "catch.h"
#include "summary/gil.h"
#include "summary/judged.h"
#include "summary/stall_summary.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::summary;
using analysis_test::frame;

namespace {

GilSample sample(std::uint64_t iteration, std::uint32_t tid, int line, std::uint64_t ns = 5'000'000) {
	return {iteration, ns, tid, "worker", {frame("crunch", "/srv/app/report.py", line), frame("run", "/srv/app/report.py", 3)}};
}

Wait gil_wait() {
	Wait wait = analysis_test::wait(Cause::gil, "futex", 1, 300'000'000, {analysis_test::application(7)});
	wait.resource = Resource{FutexResource{0x1000, LockKind::gil, std::nullopt}};
	return wait;
}

Stall gil_stall() {
	Stall stall;
	stall.pid = stall.tid = 70;
	stall.duration_ns = 480'000'000;
	part_of(stall.breakdown, Cause::gil) = {312'000'000, 60};
	part_of(stall.breakdown, Cause::cpu) = {168'000'000, 1};
	stall.waits.push_back(gil_wait());
	return stall;
}

std::optional<Holder> holder_of(const Stall &stall) { return std::get<FutexResource>(stall.waits.front().resource->is).holder; }

} // namespace

TEST_CASE("samples of the GIL's holder add up by thread and place, of one iteration") {
	GilHolders holders;
	holders.add(sample(1, 71, 16));
	holders.add(sample(2, 71, 17));
	holders.add(sample(2, 72, 17));
	holders.add(sample(2, 71, 17, 3'000'000));
	holders.add(sample(1, 71, 17)); // late
	CHECK(holders.of(1).empty());
	const auto found = holders.of(2);
	REQUIRE(found.size() == 2);
	CHECK(found[0].tid == 71);
	CHECK(found[0].samples == 2);
	CHECK(found[0].ns == 8'000'000);
	CHECK(found[0].stack.python.front().line == 17);
	CHECK(found[1].tid == 72);
}

TEST_CASE("the places of GIL holders are bounded") {
	GilHolders holders;
	for (int line = 1; line <= 1000; line++) {
		holders.add(sample(1, 71, line));
	}
	holders.add(sample(1, 71, 1));
	CHECK(holders.of(1).size() == GilHolders::max_places);
	CHECK(holders.of(1).front().samples == 2);
	Stall stall = gil_stall();
	account_gil(stall, holders.of(1));
	CHECK(stall.gil->holders.size() == max_reported_gil_holders);
}

TEST_CASE("one holder: the waits and the summary name it") {
	GilHolders holders;
	for (int i = 0; i < 9; i++) {
		holders.add(sample(1, 71, i < 6 ? 17 : 18));
	}
	holders.add(sample(1, 72, 40));
	Stall stall = gil_stall();
	account_gil(stall, holders.of(1));
	analysis_test::judge_and_summarize(stall);
	CHECK(stall.cause == Cause::gil);
	CHECK(stall.gil->ns == 312'000'000);
	CHECK(stall.gil->count == 60);
	REQUIRE(holder_of(stall));
	CHECK(holder_of(stall)->tid == 71);
	CHECK(holder_of(stall)->inferred);
	CHECK(stall.summary == "blocked 480 ms: waiting 312 ms of it for Python's GIL, 60 times in handler (/srv/app/main.py:7), "
	                       "held by thread worker (tid 71) in crunch (/srv/app/report.py:17)");
}

TEST_CASE("several holders: the waits name none, the summary says mostly") {
	GilHolders holders;
	holders.add(sample(1, 71, 17));
	holders.add(sample(1, 71, 17));
	holders.add(sample(1, 72, 40));
	Stall stall = gil_stall();
	account_gil(stall, holders.of(1));
	CHECK_FALSE(holder_of(stall));
	CHECK(format_gil_holder(stall) == "held mostly by thread worker (tid 71) in crunch (/srv/app/report.py:17)");
}

TEST_CASE("without a sample the thread that ended the wait is the holder, an interrupt is not") {
	Stall stall = gil_stall();
	stall.waits.front().waker = Waker{70, 71, "python3", "worker", false, std::nullopt};
	account_gil(stall, {});
	REQUIRE(holder_of(stall));
	CHECK(holder_of(stall)->tid == 71);
	CHECK(holder_of(stall)->inferred);

	Stall other = gil_stall();
	other.waits.front().waker = Waker{70, 71, "python3", "worker", true, std::nullopt};
	account_gil(other, {});
	CHECK_FALSE(holder_of(other));
	CHECK(format_gil_holder(other).empty());

	Stall foreign = gil_stall();
	foreign.waits.front().waker = Waker{90, 90, "make", "make", false, std::nullopt};
	account_gil(foreign, {});
	CHECK_FALSE(holder_of(foreign));
}

TEST_CASE("a stall that never waited for the GIL says nothing of it") {
	Stall stall = gil_stall();
	part_of(stall.breakdown, Cause::gil) = {};
	account_gil(stall, {});
	CHECK_FALSE(stall.gil);
}

TEST_CASE("a share of GIL waits beside a larger cause is shown, too") {
	GilHolders holders;
	holders.add(sample(1, 71, 17));
	Stall stall = gil_stall();
	part_of(stall.breakdown, Cause::gil) = {150'000'000, 30};
	part_of(stall.breakdown, Cause::cpu) = {330'000'000, 1};
	account_gil(stall, holders.of(1));
	analysis_test::judge_and_summarize(stall);
	CHECK(stall.summary == "blocked 480 ms: computing in handler (/srv/app/main.py:7), waiting 150 ms of it for Python's GIL, 30 "
	                       "times, held by thread worker (tid 71) in crunch (/srv/app/report.py:17)");
}

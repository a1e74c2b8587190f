// SPDX-License-Identifier: Apache-2.0
#include "inspect/python_samples.h"

#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::inspect;

namespace {

constexpr std::uint64_t ms = 1'000'000;

PythonSample in_task(std::uint64_t time_ns, const std::string &name) {
	PythonSample sample;
	sample.time_ns = time_ns;
	sample.runs = true;
	if (!name.empty()) {
		sample.task = StallTask{0x7f00, name, "handle"};
	}
	return sample;
}

void add(PythonSamples &samples, std::uint64_t time_ns, const std::string &task, std::optional<std::uint64_t> queued) {
	PythonSample sample = in_task(time_ns, task);
	if (queued) { // handles 1 to 3000 are run one after the other
		auto &handles = sample.queued_callbacks.emplace();
		for (std::uint64_t left = *queued; left > 0; left--) {
			handles.push_back(3001 - left);
		}
	}
	samples.add(3, 0, std::move(sample));
}

Stall stall_of(std::uint64_t ns) {
	Stall stall;
	stall.duration_ns = ns;
	part_of(stall.breakdown, Cause::cpu).ns = ns;
	return stall;
}

} // namespace

TEST_CASE("a stall is of the task that most of it was a step of") {
	PythonSamples samples;
	samples.add(3, 0, in_task(50 * ms, "orders-7"));
	samples.add(3, 0, in_task(70 * ms, "orders-8"));
	SECTION("the longest, the time after the last sample included") {
		Stall stall = stall_of(100 * ms);
		samples.recall(3, stall);
		REQUIRE(stall.task);
		CHECK(stall.task->name == "orders-7");
		stall = stall_of(300 * ms);
		samples.recall(3, stall);
		CHECK(stall.task->name == "orders-8");
	}
	SECTION("none where none has half of it") {
		samples.add(3, 0, in_task(140 * ms, "orders-9"));
		samples.add(3, 0, in_task(150 * ms, "orders-10"));
		Stall stall = stall_of(160 * ms);
		samples.recall(3, stall);
		CHECK_FALSE(stall.task);
	}
	SECTION("none where callbacks that are no task's had most of it") {
		samples.add(3, 0, in_task(300 * ms, ""));
		Stall stall = stall_of(310 * ms);
		samples.recall(3, stall);
		CHECK_FALSE(stall.task);
	}
	SECTION("a sample that did not ask is of the task before") {
		PythonSample more = in_task(400 * ms, "");
		more.asked = false;
		samples.add(3, 0, std::move(more));
		Stall stall = stall_of(410 * ms);
		samples.recall(3, stall);
		REQUIRE(stall.task);
		CHECK(stall.task->name == "orders-8");
	}
	SECTION("and never of another iteration") {
		Stall stall = stall_of(100 * ms);
		samples.recall(2, stall);
		CHECK_FALSE(stall.task);
		samples.add(4, 1000 * ms, in_task(1050 * ms, ""));
		samples.recall(3, stall);
		CHECK_FALSE(stall.task);
	}
}

TEST_CASE("an iteration of many callbacks is recognised by the queue that grows shorter") {
	PythonSamples samples;
	add(samples, 50 * ms, "a", 2900);
	add(samples, 250 * ms, "b", std::nullopt);
	add(samples, 450 * ms, "c", 1500);
	add(samples, 650 * ms, "d", 700);
	Stall stall = stall_of(850 * ms);
	samples.recall(3, stall);
	CHECK(stall.callbacks == 2200U);
	SECTION("one whose task had most of it has been held up by that") {
		add(samples, 2000 * ms, "e", 700);
		stall = stall_of(2100 * ms);
		stall.callbacks.reset();
		samples.recall(3, stall);
		CHECK_FALSE(stall.callbacks);
	}
	SECTION("also where each adds another one behind") {
		PythonSamples many;
		for (const std::uint64_t run : {0U, 25U}) {
			PythonSample sample = in_task((100 * run + 50) * ms, std::to_string(run));
			auto &handles = sample.queued_callbacks.emplace();
			for (std::uint64_t i = 0; i < 40; i++) {
				handles.push_back(run + i);
			}
			many.add(3, 0, std::move(sample));
		}
		stall = stall_of(5000 * ms);
		many.recall(3, stall);
		CHECK(stall.callbacks == 25U);
	}
	SECTION("one whose queue only grows has come to none that is known") {
		PythonSamples grows;
		for (const std::uint64_t queued : {10U, 500U, 900U}) {
			add(grows, queued * ms, std::to_string(queued), queued);
		}
		stall = stall_of(1000 * ms);
		stall.callbacks.reset();
		grows.recall(3, stall);
		CHECK_FALSE(stall.callbacks);
	}
}

TEST_CASE("the collector's part of the CPU time, by the samples that ran") {
	PythonSamples samples;
	PythonSample collecting = in_task(50 * ms, "load");
	collecting.collecting = true;
	collecting.generation = 1;
	samples.add(3, 0, PythonSample(collecting));
	collecting.time_ns = 60 * ms;
	collecting.generation = 2;
	samples.add(3, 0, PythonSample(collecting));
	samples.add(3, 0, in_task(70 * ms, "load"));
	samples.add(3, 0, in_task(80 * ms, "load"));
	PythonSample asleep = in_task(90 * ms, "load");
	asleep.runs = false;
	samples.add(3, 0, std::move(asleep));
	Stall stall = stall_of(100 * ms);
	samples.recall(3, stall);
	REQUIRE(stall.gc);
	CHECK(stall.gc->ns == 50 * ms);
	CHECK(stall.gc->generation == 2U);
	PythonSamples none;
	none.add(3, 0, in_task(50 * ms, "load"));
	stall = stall_of(100 * ms);
	none.recall(3, stall);
	CHECK_FALSE(stall.gc);
}

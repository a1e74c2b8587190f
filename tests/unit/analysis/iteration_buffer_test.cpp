// SPDX-License-Identifier: Apache-2.0
#include "analysis/iteration_buffer.h"

#include <algorithm>

#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;

namespace {

RawWait raw_wait(std::uint64_t iteration, std::uint64_t key, std::uint64_t off_ns) {
	RawWait wait;
	wait.iteration = iteration;
	wait.stack_key = key;
	wait.off_ns = off_ns;
	wait.count = 1;
	return wait;
}

RawSample raw_sample(std::uint64_t iteration) {
	RawSample sample;
	sample.iteration = iteration;
	return sample;
}

} // namespace

TEST_CASE("waits of older iterations are forgotten") {
	IterationBuffer buffer;
	buffer.add(raw_wait(1, 7, 10));
	buffer.add(raw_wait(2, 8, 20));
	CHECK(buffer.waits(1).empty());
	CHECK(buffer.take_waits(2).size() == 1);
	CHECK(buffer.take_waits(2).empty());
	CHECK(buffer.dropped_waits() == 0);
}

TEST_CASE("too many waits: the shortest go, and are counted") {
	IterationBuffer buffer;
	for (std::uint64_t i = 0; i < IterationBuffer::max_waits + 10; i++) {
		buffer.add(raw_wait(1, i + 1, i + 1));
	}
	const auto kept = buffer.take_waits(1);
	REQUIRE(kept.size() == IterationBuffer::max_waits);
	CHECK(kept.front().off_ns == 11);
	CHECK(buffer.dropped_waits() == 10);
}

TEST_CASE("waits without a stack are one, so that they do not crowd out those that have one") {
	IterationBuffer buffer;
	buffer.add(raw_wait(1, 5, 1));
	for (int i = 0; i < 1000; i++) {
		buffer.add(raw_wait(1, 0, 10));
	}
	const auto kept = buffer.take_waits(1);
	REQUIRE(kept.size() == 2);
	CHECK(kept[1].off_ns == 10'000);
	CHECK(kept[1].count == 1000);
}

TEST_CASE("samples are thinned out evenly, and what is left stands for all") {
	IterationBuffer buffer;
	constexpr std::uint64_t sent = 5000;
	for (std::uint64_t i = 0; i < sent; i++) {
		buffer.add(raw_sample(1));
	}
	const auto kept = buffer.take_samples(1);
	CHECK(kept.size() <= IterationBuffer::max_samples);
	CHECK(kept.size() > IterationBuffer::max_samples / 3);
	std::uint64_t periods = 0;
	std::uint64_t most = 0;
	for (const RawSample &sample : kept) {
		periods += sample.periods;
		most = std::max(most, sample.periods);
	}
	CHECK(periods == sent);
	CHECK(most == 16);
	buffer.add(raw_sample(2));
	const auto next = buffer.take_samples(2);
	REQUIRE(next.size() == 1);
	CHECK(next.front().periods == 1);
}

TEST_CASE("a wait is given its waker's stack, and no other wait is") {
	IterationBuffer buffer;
	RawWaker waker;
	waker.iteration = 3;
	waker.wait_start_ns = 1000;
	waker.stack.tid = 12;
	waker.python = {{"job", "jobs.py", 12}};
	waker.thread = "worker_3";
	buffer.add(RawWaker(waker));
	RawWait wait = raw_wait(3, 7, 10);
	wait.waker.emplace();
	wait.waker->tid = 12;
	wait.start_ns = 1000;
	SECTION("its own") {}
	SECTION("an earlier wait") { wait.start_ns = 999; }
	SECTION("another iteration") { wait.iteration = 4; }
	SECTION("another thread woke it") { wait.waker->tid = 13; }
	const bool own = wait.start_ns == 1000 && wait.iteration == 3 && wait.waker->tid == 12;
	const std::uint64_t iteration = wait.iteration;
	buffer.add(std::move(wait));
	const auto waits = buffer.take_waits(iteration);
	REQUIRE(waits.size() == 1);
	CHECK(waits.front().waker_stack.has_value() == own);
	CHECK(waits.front().waker_python.size() == (own ? 1 : 0));
	CHECK(waits.front().waker->thread == (own ? "worker_3" : ""));
}

// SPDX-License-Identifier: Apache-2.0
#include "collector/knobs.h"

#include "abi/tables.h"
#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::collector;

namespace {

constexpr std::uint64_t us = 1'000;
constexpr std::uint64_t ms = 1'000'000;

CollectorOptions with_threshold(std::uint64_t threshold_ns) {
	CollectorOptions options;
	options.threshold_ns = threshold_ns;
	return options;
}

} // namespace

TEST_CASE("waits below a twentieth of the threshold are not worth a record, within 20 us and 5 ms") {
	CHECK(knobs_of(with_threshold(100 * us), 0).floor_ns == 20 * us);
	CHECK(knobs_of(with_threshold(20 * ms), 0).floor_ns == 1 * ms);
	CHECK(knobs_of(with_threshold(1000 * ms), 0).floor_ns == 5 * ms);
}

TEST_CASE("a stall just over the threshold has its samples, and samples that come fast are bounded") {
	CHECK(sample_period_of(with_threshold(1000 * ms)) == 5 * ms);
	CHECK(sample_period_of(with_threshold(8 * ms)) == 2 * ms);
	CHECK(sample_period_of(with_threshold(1 * ms)) == 500 * us);
	CHECK(knobs_of(with_threshold(1000 * ms), 0).sample_token_ns == 0);
	CHECK(knobs_of(with_threshold(8 * ms), 0).sample_token_ns > 2 * ms);
}

TEST_CASE("of slots that several processes share the last quarter is for those that have few") {
	CollectorOptions options;
	options.max_loops = 64;
	CHECK(knobs_of(options, 0).free_slots == 0);
	CHECK(knobs_of(options, 0).slot_share == 0);
	options.shared_slots = true;
	CHECK(knobs_of(options, 0).free_slots == 16);
	CHECK(knobs_of(options, 0).slot_share == 4);
	options.max_loops = 2;
	CHECK(knobs_of(options, 0).free_slots == 1);
	CHECK(knobs_of(options, 0).slot_share == 1);
	options.max_loops = 1; // which must not be kept from everybody
	CHECK(knobs_of(options, 0).free_slots == 0);
}

TEST_CASE("what was asked for reaches the programs") {
	CollectorOptions options = with_threshold(7 * ms);
	options.stack_bytes = 8192;
	options.max_loops = 5;
	options.discover = true;
	const ls_knobs knobs = knobs_of(options, 3);
	CHECK(knobs.threshold_ns == 7 * ms);
	CHECK(knobs.stack_bytes == 8192);
	CHECK(knobs.slots == 5);
	CHECK(knobs.pid_level == 3);
	CHECK(knobs.discover == 1);
	CHECK(capture_bytes(options) == sizeof(ls_wait) + 8192 + LS_PAGE_BYTES);
}

TEST_CASE("the ring buffer is a power of two, larger for more loops and longer stacks") {
	CollectorOptions options;
	options.max_loops = 1;
	CHECK(ring_bytes(options) == 4U << 20);
	options.max_loops = 4096;
	options.stack_bytes = 4096;
	CHECK(ring_bytes(options) == 32U << 20); // 8 KiB a loop
	options.stack_bytes = 64U << 10;
	CHECK(ring_bytes(options) == 64U << 20); // a quarter of the stack
	options.max_loops = 4000;
	CHECK(ring_bytes(options) == 64U << 20);
}

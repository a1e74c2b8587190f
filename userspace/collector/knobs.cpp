// SPDX-License-Identifier: Apache-2.0
#include "collector/knobs.h"

#include <algorithm>
#include <bit>

#include "abi/tables.h"

namespace loopsnoop::collector {

namespace {

// Waits shorter than a twentieth of the threshold explain nothing alone; never more than 5 ms, so that pieces of long stalls
// show.
constexpr std::uint64_t floor_share = 20;
constexpr std::uint64_t floor_max_ns = 5'000'000;
constexpr std::uint64_t floor_min_ns = 20'000;
// A capture costs some microseconds: this bounds them to well below a hundredth of a core.
constexpr std::uint32_t ns_per_capture = 1'000'000;
constexpr std::uint32_t capture_burst = 500;
// The same for samples, where their period is shorter.
constexpr std::uint32_t ns_per_sample = 2'500'000;
// Loops that stall all at once, as on one disk or lock, send one stack each at once, mostly a short one. What this takes is
// mapped twice, and counts twice as ours: less for those who follow a whole host, and have stacks cut short for it.
constexpr std::uint32_t least_ring_bytes = 4U << 20;
constexpr std::uint32_t least_ring_bytes_a_loop = 8U << 10;
constexpr std::uint32_t ring_share_of_stack = 4; // a quarter of the longest stack that is copied

} // namespace

std::uint32_t ring_bytes(const CollectorOptions &options) {
	const std::uint32_t a_loop = std::max(least_ring_bytes_a_loop, options.stack_bytes / ring_share_of_stack);
	return std::bit_ceil(std::max(least_ring_bytes, options.max_loops * a_loop));
}

std::uint32_t capture_bytes(const CollectorOptions &options) {
	return static_cast<std::uint32_t>(sizeof(ls_wait)) + options.stack_bytes + LS_PAGE_BYTES;
}

std::uint64_t sample_period_of(const CollectorOptions &options) {
	return std::clamp(options.threshold_ns / suspicious_share, Collector::min_sample_period_ns, Collector::max_sample_period_ns);
}

ls_knobs knobs_of(const CollectorOptions &options, std::uint32_t pid_level) {
	ls_knobs knobs{};
	knobs.threshold_ns = options.threshold_ns;
	knobs.floor_ns = std::clamp(options.threshold_ns / floor_share, floor_min_ns, floor_max_ns);
	knobs.stack_bytes = options.stack_bytes;
	knobs.slots = options.max_loops;
	if (options.shared_slots) {
		knobs.free_slots = options.max_loops > 1 ? std::max(1U, options.max_loops / 4) : 0;
		knobs.slot_share = std::max(1U, options.max_loops / 16);
	}
	knobs.pid_level = pid_level;
	knobs.token_ns = ns_per_capture;
	knobs.capture_burst = capture_burst;
	knobs.sample_token_ns = sample_period_of(options) < ns_per_sample ? ns_per_sample : 0;
	knobs.discover = options.discover ? 1 : 0;
	return knobs;
}

} // namespace loopsnoop::collector

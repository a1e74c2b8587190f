// SPDX-License-Identifier: Apache-2.0
#include "summary/garbage.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/garbage.h"
#include "base/duration.h"

namespace loopsnoop::summary {

namespace {

// As the runtime's own papers call it.
std::string kind_of(const Stall &stall) {
	if (!stall.gc || !stall.gc->generation) {
		return {};
	}
	if (analysis::is_of_v8(stall)) {
		const GcPart &gc = *stall.gc;
		// Resident is more than the old generation, but of a server that has room it is far from its limit.
		const bool is_full = gc.heap_limit_bytes && gc.resident_bytes && *gc.resident_bytes * 10 >= *gc.heap_limit_bytes * 9;
		return fmt::format(" ({}{})", *gc.generation == 0 ? "scavenge" : "mark-compact",
		                   is_full ? fmt::format(", its heap is probably near its limit of {} MiB", *gc.heap_limit_bytes >> 20U)
		                           : "");
	}
	return fmt::format(" (generation {})", *stall.gc->generation);
}

} // namespace

bool is_garbage_collection(const Stall &stall) {
	const std::uint64_t ns = analysis::collecting_ns(stall);
	return ns > 0 && ns * 2 >= stall.duration_ns;
}

std::string format_garbage_collection(const Stall &stall) {
	const std::uint64_t ns = std::min(analysis::collecting_ns(stall), stall.duration_ns);
	return fmt::format("garbage collection{} for {} of it{}", kind_of(stall), format_duration(ns),
	                   stall.culprit ? ", begun" : "");
}

std::string format_garbage(const Stall &stall) {
	constexpr std::uint64_t worth_a_word = 10; // a tenth
	return stall.gc && stall.gc->ns >= stall.duration_ns / worth_a_word && !is_garbage_collection(stall)
	           ? fmt::format("; garbage collection{} took {} of it", kind_of(stall), format_duration(stall.gc->ns))
	           : "";
}

std::optional<std::string> garbage_advice(const Stall &stall) {
	if (!is_garbage_collection(stall)) {
		return std::nullopt;
	}
	return analysis::is_of_v8(stall)
	           ? "most of it was V8's garbage collection: look for what keeps the heap full (--heapsnapshot-signal), or give it "
	             "room (--max-old-space-size, --max-semi-space-size)"
	           : "most of it was Python's garbage collection: gc.freeze() once start-up is done, and a higher "
	             "gc.set_threshold(), "
	             "spare it the objects that stay";
}

} // namespace loopsnoop::summary

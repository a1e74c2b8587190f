// SPDX-License-Identifier: Apache-2.0
#include "summary/garbage.h"

#include <algorithm>

#include "base/duration.h"

namespace loopsnoop::summary {

std::string format_garbage(const Stall &stall) {
	constexpr std::uint64_t worth_a_word = 10; // a tenth
	return stall.gc && stall.gc->ns >= stall.duration_ns / worth_a_word
	           ? "; garbage collection took " + format_duration(stall.gc->ns) + " of it"
	           : "";
}

std::optional<std::string> garbage_advice(const Stall &stall) {
	if (!stall.gc || stall.gc->ns < stall.duration_ns / 2) {
		return std::nullopt;
	}
	const bool of_v8 = std::ranges::any_of(stall.cpu, [](const CpuPart &part) {
		return std::ranges::any_of(
		    part.stack.native, [](const NativeFrame &frame) { return frame.function && frame.function->starts_with("v8::"); });
	});
	return of_v8 ? "most of it was V8's garbage collection: look for what keeps the heap full (--heapsnapshot-signal), or give "
	               "it room "
	               "(--max-old-space-size, --max-semi-space-size)"
	             : "most of it was Python's garbage collection: gc.freeze() once start-up is done, and a higher "
	               "gc.set_threshold(), "
	               "spare it the objects that stay";
}

} // namespace loopsnoop::summary

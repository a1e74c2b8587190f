// SPDX-License-Identifier: Apache-2.0
#include "analysis/garbage.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace loopsnoop::analysis {

namespace {

struct Collector {
	std::string_view function; // the beginning of its name; clones (".isra.0") included
	std::optional<std::uint64_t> generation;
};
constexpr std::array collectors = std::to_array<Collector>({
    {"gc_collect_main", std::nullopt}, // static, 3.9 to 3.15; _PyGC_Collect and gc.collect() call it
    {"gc_collect_young", 0},           // 3.14.0 to 3.14.4, which collected in steps
    {"gc_collect_increment", 1},
    {"gc_collect_full", 2},
    {"gc_collect_region", std::nullopt},
    {"gc_collect_generations", std::nullopt},
    {"gc_collect_with_callback", std::nullopt},
    {"_PyGC_Collect", std::nullopt},
    {"_Py_RunGC", std::nullopt},
    {"v8::internal::Scavenger", 0},
    {"v8::internal::MarkCompactCollector", 1},
    {"v8::internal::Heap::CollectGarbage", std::nullopt},
    {"v8::internal::Heap::PerformGarbageCollection", std::nullopt},
});

const Collector *collector_in(const Stack &stack) {
	for (const NativeFrame &frame : stack.native) {
		const auto found = std::ranges::find_if(
		    collectors, [&](const Collector &one) { return frame.function && frame.function->starts_with(one.function); });
		if (found != collectors.end()) {
			return &*found;
		}
	}
	return nullptr;
}

} // namespace

std::optional<GcPart> garbage_collection(const std::vector<CpuPart> &cpu) {
	std::optional<GcPart> gc;
	for (const CpuPart &part : cpu) {
		const Collector *collector = collector_in(part.stack);
		if (collector == nullptr) {
			continue;
		}
		if (!gc) {
			gc.emplace();
		}
		gc->ns += part.ns;
		gc->generation = std::max(gc->generation, collector->generation);
	}
	return gc;
}

void add_garbage(Stall &stall) {
	const auto by_names = garbage_collection(stall.cpu);
	if (!stall.gc || !by_names) {
		stall.gc = stall.gc ? stall.gc : by_names;
		return;
	}
	stall.gc->ns = std::max(stall.gc->ns, by_names->ns);
	stall.gc->generation = std::max(stall.gc->generation, by_names->generation);
}

bool is_of_v8(const Stall &stall) {
	const auto has_v8 = [](const Stack &stack) {
		return std::ranges::any_of(
		    stack.native, [](const NativeFrame &frame) { return frame.function && frame.function->starts_with("v8::"); });
	};
	return std::ranges::any_of(stall.cpu, [&](const CpuPart &part) { return has_v8(part.stack); }) ||
	       std::ranges::any_of(stall.waits, [&](const Wait &wait) { return wait.stack && has_v8(*wait.stack); });
}

std::uint64_t collecting_ns(const Stall &stall) {
	std::uint64_t ns = stall.gc ? stall.gc->ns : 0;
	for (const Wait &wait : stall.waits) {
		ns += wait.stack && collector_in(*wait.stack) != nullptr ? wait.duration_ns : 0;
	}
	return ns;
}

} // namespace loopsnoop::analysis

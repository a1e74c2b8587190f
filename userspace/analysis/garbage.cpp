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

} // namespace loopsnoop::analysis

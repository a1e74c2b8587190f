// SPDX-License-Identifier: Apache-2.0
#include "analysis/garbage.h"

#include "catch.h"
#include "summary/garbage.h"
#include "summary/stall_summary.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;

namespace {

constexpr std::uint64_t ms = 1'000'000;

CpuPart part(const std::string &function, std::uint64_t ns) {
	Stack stack;
	stack.native = {{"visit_decref", "/usr/bin/python3", 0, std::nullopt, std::nullopt},
	                {function, "/usr/bin/python3", 0, std::nullopt, std::nullopt}};
	return {1, ns, stack};
}

} // namespace

TEST_CASE("the part of the samples that were in a collector") {
	CHECK_FALSE(garbage_collection({}));
	CHECK_FALSE(garbage_collection({part("_PyEval_EvalFrameDefault", ms)}));
	const auto some =
	    garbage_collection({part("gc_collect_main.constprop.0", 3 * ms), part("loads", ms), part("_Py_RunGC", 2 * ms)});
	REQUIRE(some);
	CHECK(some->ns == 5 * ms);
	CHECK_FALSE(some->generation);
	const auto steps = garbage_collection({part("gc_collect_young", ms), part("gc_collect_full.lto_priv.0", ms)});
	REQUIRE(steps);
	CHECK(steps->generation == 2U);
	CHECK(garbage_collection({part("v8::internal::ScavengerCollector::CollectGarbage()", ms)})->generation == 0U);
}

TEST_CASE("by names and by what was seen in the interpreter: the longer, and the generation that is known") {
	Stall stall;
	stall.duration_ns = 100 * ms;
	stall.gc = GcPart{60 * ms, 2};
	add_garbage(stall);
	CHECK((stall.gc->ns == 60 * ms && stall.gc->generation == 2U)); // a stripped interpreter has no names
	stall.cpu = {part("gc_collect_main", 80 * ms)};
	add_garbage(stall);
	add_garbage(stall);
	CHECK((stall.gc->ns == 80 * ms && stall.gc->generation == 2U));
	stall.gc.reset();
	add_garbage(stall);
	CHECK((stall.gc->ns == 80 * ms && !stall.gc->generation));
}

TEST_CASE("collecting is said where it was much, and is what the stall was where it was most") {
	Stall stall;
	stall.duration_ns = 100 * ms;
	CHECK(summary::format_garbage(stall).empty());
	CHECK_FALSE(summary::garbage_advice(stall));
	stall.cpu = {part("gc_collect_main", 9 * ms)};
	add_garbage(stall);
	CHECK(summary::format_garbage(stall).empty());
	stall.cpu = {part("gc_collect_main", 20 * ms)};
	add_garbage(stall);
	CHECK(summary::format_garbage(stall) == "; garbage collection took 20 ms of it");
	CHECK_FALSE(summary::garbage_advice(stall));
	stall.gc = GcPart{60 * ms, 2};
	CHECK(summary::format_garbage(stall).empty());
	CHECK(summary::format_garbage_collection(stall) == "garbage collection (generation 2) for 60 ms of it");
	REQUIRE(summary::garbage_advice(stall));
	CHECK(summary::garbage_advice(stall)->find("gc.freeze()") != std::string::npos);
	part_of(stall.breakdown, Cause::cpu).ns = 100 * ms;
	stall.culprit = SourceFrame{"Session.__init__", "/srv/app.py", 11};
	summary::summarize(stall);
	CHECK(stall.summary ==
	      "blocked 100 ms: garbage collection (generation 2) for 60 ms of it, begun in Session.__init__ (/srv/app.py:11)");
	CHECK(stall.advice == summary::garbage_advice(stall));
}

TEST_CASE("waits for the collector's own helper threads are part of the collection") {
	Stall stall;
	stall.duration_ns = 100 * ms;
	stall.cause = Cause::futex;
	stall.cpu = {part("v8::internal::Heap::CollectGarbage(v8::internal::AllocationSpace)", 10 * ms)};
	Wait wait;
	wait.cause = Cause::futex;
	wait.duration_ns = 80 * ms;
	wait.stack = part("v8::internal::MarkCompactCollector::Evacuate()", 0).stack;
	stall.waits = {wait};
	add_garbage(stall);
	CHECK(collecting_ns(stall) == 90 * ms);
	CHECK(stall.gc->ns == 10 * ms);
	summary::summarize(stall);
	CHECK(stall.summary == "blocked 100 ms: garbage collection for 90 ms of it");
	CHECK(stall.advice->find("--max-old-space-size") != std::string::npos);
	stall.gc->generation = 1;
	stall.gc->heap_limit_bytes = 230U << 20U;
	stall.gc->resident_bytes = 280U << 20U;
	CHECK(summary::format_garbage_collection(stall) ==
	      "garbage collection (mark-compact, its heap is probably near its limit of 230 MiB) for 90 ms of it");
	stall.gc->resident_bytes = 120U << 20U;
	CHECK(summary::format_garbage_collection(stall) == "garbage collection (mark-compact) for 90 ms of it");
}

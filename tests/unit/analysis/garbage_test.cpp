// SPDX-License-Identifier: Apache-2.0
#include "analysis/garbage.h"

#include "catch.h"
#include "summary/garbage.h"

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

TEST_CASE("collecting is said where it was much, and advised about where it was most") {
	Stall stall;
	stall.duration_ns = 100 * ms;
	CHECK(summary::format_garbage(stall).empty());
	CHECK_FALSE(summary::garbage_advice(stall));
	stall.cpu = {part("gc_collect_main", 9 * ms)};
	stall.gc = garbage_collection(stall.cpu);
	CHECK(summary::format_garbage(stall).empty());
	stall.cpu = {part("gc_collect_main", 20 * ms)};
	stall.gc = garbage_collection(stall.cpu);
	CHECK(summary::format_garbage(stall) == "; garbage collection took 20 ms of it");
	CHECK_FALSE(summary::garbage_advice(stall));
	stall.cpu = {part("gc_collect_main", 60 * ms)};
	stall.gc = garbage_collection(stall.cpu);
	REQUIRE(summary::garbage_advice(stall));
	CHECK(summary::garbage_advice(stall)->find("gc.freeze()") != std::string::npos);
	stall.cpu = {part("v8::internal::Heap::CollectGarbage(v8::internal::AllocationSpace)", 60 * ms)};
	stall.gc = garbage_collection(stall.cpu);
	CHECK(summary::garbage_advice(stall)->find("--max-old-space-size") != std::string::npos);
}

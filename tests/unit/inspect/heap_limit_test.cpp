// SPDX-License-Identifier: Apache-2.0
#include "inspect/heap_limit.h"

#include <vector>

#include "catch.h"
#include "fixture.h"

using namespace loopsnoop;
using namespace loopsnoop::inspect;

TEST_CASE("the limit of V8's old generation stands on the command line") {
	const auto of = [](const std::vector<std::string> &arguments) { return old_space_limit(arguments); };
	CHECK_FALSE(of({"node", "server.js"}));
	CHECK(of({"node", "--max-old-space-size=230", "server.js"}) == 230U << 20U);
	CHECK(of({"node", "--max_old_space_size=230", "--max-old-space-size=512"}) == 512U << 20U);
	CHECK_FALSE(of({"node", "--max-old-space-size=lots", "--max-old-space-size=0", "--max-old-space-size="}));
	CHECK_FALSE(of({}));
}

TEST_CASE("a heap near its limit, of V8 alone, and where collecting was most of it") {
	const FixtureTree tree;
	tree.process(10, "node", 10);
	tree.file("10/cmdline", std::string("node\0--max-old-space-size=230\0app.js\0", 38));
	tree.file("10/statm", "300000 61440 9000 1 0 1 0\n");
	const process::ProcFs proc(tree.root());
	Stall stall;
	stall.pid = 10;
	stall.duration_ns = 100;
	stall.gc = GcPart{};
	stall.gc->ns = 80;
	CHECK_FALSE(add_heap_limit(stall, proc));
	CpuPart part;
	part.stack.native.push_back({"v8::internal::Heap::CollectGarbage()", "/usr/bin/node", 0, std::nullopt, std::nullopt});
	stall.cpu.push_back(part);
	REQUIRE(add_heap_limit(stall, proc));
	CHECK(stall.gc->heap_limit_bytes == 230U << 20U);
	CHECK(stall.gc->resident_bytes == 61440U * 4096);
	CHECK_FALSE(add_heap_limit(stall, proc));
	stall.gc = GcPart{};
	stall.gc->ns = 20;
	CHECK_FALSE(add_heap_limit(stall, proc));
}

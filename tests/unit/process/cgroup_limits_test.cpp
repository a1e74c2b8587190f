// SPDX-License-Identifier: Apache-2.0
#include "process/cgroup_limits.h"

#include "catch.h"
#include "fixture.h"

using namespace loopsnoop;
using namespace loopsnoop::process;

TEST_CASE("cpu.max") {
	const auto quota = parse_cpu_max("10000 100000\n");
	REQUIRE(quota);
	CHECK(quota->quota_us == 10'000);
	CHECK(quota->period_us == 100'000);
	CHECK_FALSE(parse_cpu_max("max 100000\n"));
	CHECK_FALSE(parse_cpu_max("5 0"));
	CHECK_FALSE(parse_cpu_max(""));
}

TEST_CASE("the tightest limit of the cgroup and those above it, by name") {
	const FixtureTree tree;
	tree.file("self/mountinfo", "31 25 0:26 / " + tree.path("cg") + " rw shared:9 - cgroup2 cgroup2 rw,nsdelegate\n");
	tree.file("7/cgroup", "0::/pod/app\n");
	tree.file("cg/pod/cpu.max", "20000 100000\n");
	tree.file("cg/pod/app/cpu.max", "50000 100000\n");
	tree.file("cg/pod/memory.max", "max\n");
	tree.file("cg/pod/app/memory.max", "41943040\n");
	const ProcFs proc(tree.root());
	const auto cpu = cpu_limit(proc, 7);
	REQUIRE(cpu);
	CHECK(cpu->path == "/pod");
	CHECK(cpu->cpu_quota_ns == 20'000'000U);
	CHECK(cpu->cpu_period_ns == 100'000'000U);
	const auto memory = memory_limit(proc, 7);
	REQUIRE(memory);
	CHECK(memory->path == "/pod/app");
	CHECK(memory->memory_bytes == 41'943'040U);
	CHECK_FALSE(cpu_limit(proc, 8));
}

TEST_CASE("limits of v1, which has numbers for none") {
	const FixtureTree tree;
	tree.file("self/mountinfo", "31 25 0:26 / " + tree.path("cg") + " rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n32 25 0:27 / " +
	                                tree.path("mem") + " rw shared:9 - cgroup cgroup rw,memory\n");
	tree.file("7/cgroup", "4:memory:/app\n1:cpu,cpuacct:/app\n");
	tree.file("cg/app/cpu.cfs_quota_us", "10000\n");
	tree.file("cg/app/cpu.cfs_period_us", "100000\n");
	tree.file("cg/cpu.cfs_quota_us", "-1\n");
	tree.file("cg/cpu.cfs_period_us", "100000\n");
	tree.file("mem/memory.limit_in_bytes", "9223372036854771712\n");
	const ProcFs proc(tree.root());
	const auto cpu = cpu_limit(proc, 7);
	REQUIRE(cpu);
	CHECK(cpu->path == "/app");
	CHECK(cpu->cpu_quota_ns == 10'000'000U);
	CHECK_FALSE(memory_limit(proc, 7));
}

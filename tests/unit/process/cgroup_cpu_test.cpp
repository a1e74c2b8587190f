// SPDX-License-Identifier: Apache-2.0
#include "process/cgroup_cpu.h"

#include <string>

#include "catch.h"
#include "fixture.h"

using namespace loopsnoop::process;

namespace {

void mountinfo(const FixtureTree &tree, const std::string &root, const std::string &type, const std::string &options) {
	tree.file("self/mountinfo", "junk\n22 1 0:20 / / rw - ext4 /dev/vda rw\n31 25 0:26 " + root + " " + tree.path("cg") +
	                                " rw,nosuid shared:9 - " + type + " " + type + " rw," + options + "\n");
}

} // namespace

TEST_CASE("cpu.stat of both kinds") {
	const auto v2 = parse_cpu_stat("usage_usec 5\nnr_periods 10\nnr_throttled 3\nthrottled_usec 1500\n");
	REQUIRE(v2);
	CHECK(v2->throttled == 3);
	CHECK(v2->throttled_ns == 1500000);
	const auto v1 = parse_cpu_stat("nr_periods 10\nnr_throttled 4\nthrottled_time 77\n");
	REQUIRE(v1);
	CHECK(v1->throttled == 4);
	CHECK(v1->throttled_ns == 77);
	CHECK_FALSE(parse_cpu_stat("usage_usec 5\nuser_usec 3\nsystem_usec 2\n")); // the root cgroup
	CHECK_FALSE(parse_cpu_stat("nr_throttled\nthrottled_usec\n"));
	CHECK_FALSE(parse_cpu_stat("nr_throttled 3\nthrottled_usec 18446744073709551615\n"));
	CHECK_FALSE(parse_cpu_stat(std::string(1000, '\0')));
}

TEST_CASE("limits of the cgroup and those above it") {
	const FixtureTree tree;
	mountinfo(tree, "/", "cgroup2", "nsdelegate");
	tree.file("7/cgroup", "0::/pod/app\n");
	tree.file("cg/cpu.stat", "usage_usec 5\n");
	tree.file("cg/pod/cpu.stat", "nr_throttled 2\nthrottled_usec 10\n");
	tree.file("cg/pod/app/cpu.stat", "nr_throttled 1\nthrottled_usec 5\n");
	const auto found = cpu_throttling(ProcFs(tree.root()), 7);
	REQUIRE(found);
	CHECK(found->throttled == 3);
	CHECK(found->throttled_ns == 15000);
	CHECK_FALSE(cpu_throttling(ProcFs(tree.root()), 8));
}

TEST_CASE("a mount that shows a part of the v1 hierarchy") {
	const FixtureTree tree;
	mountinfo(tree, "/docker/abc", "cgroup", "cpu,cpuacct");
	tree.file("7/cgroup", "5:memory:/x\n4:cpu,cpuacct:/docker/abc/w\n");
	tree.file("8/cgroup", "4:cpu,cpuacct:/docker/other\n");
	tree.file("9/cgroup", "4:cpu,cpuacct:/docker/abc/../../etc\n");
	tree.file("cg/w/cpu.stat", "nr_throttled 1\nthrottled_time 5\n");
	CHECK(cpu_throttling(ProcFs(tree.root()), 7)->throttled_ns == 5);
	CHECK_FALSE(cpu_throttling(ProcFs(tree.root()), 8));
	CHECK_FALSE(cpu_throttling(ProcFs(tree.root()), 9));
}

// SPDX-License-Identifier: Apache-2.0
#include "discovery/requests.h"

#include <string>
#include <vector>

#include "catch.h"
#include "fixture.h"

using namespace loopsnoop;
using discovery::not_followed;

namespace {

void process_in(const FixtureTree &tree, unsigned pid, const std::string &children, const char *descriptor) {
	const std::string folder = std::to_string(pid);
	tree.process(pid, "nginx", pid);
	tree.link(folder + "/exe", "/usr/sbin/nginx");
	tree.file(folder + "/task/" + folder + "/children", children);
	tree.link(folder + "/fd/3", descriptor);
}

} // namespace

TEST_CASE("children with event queues that nobody follows are found, and theirs") {
	const FixtureTree tree;
	process_in(tree, 10, "11 12", "socket:[1]");
	process_in(tree, 11, "", "anon_inode:[eventpoll]");
	process_in(tree, 12, "13", "socket:[1]");
	process_in(tree, 13, "", "anon_inode:[io_uring]");
	const process::ProcFs proc(tree.root());

	const auto found = not_followed({{10, false, std::nullopt}}, proc);
	REQUIRE(found.size() == 1);
	CHECK(found[0].parent == 10);
	CHECK(found[0].comm == "nginx");
	CHECK(found[0].children == std::vector<std::uint32_t>{11, 13});

	CHECK(not_followed({{10, true, std::nullopt}}, proc).empty());
	CHECK(not_followed({{11, false, std::nullopt}}, proc).empty());
	const auto rest = not_followed({{10, false, std::nullopt}, {13, false, std::nullopt}}, proc);
	REQUIRE(rest.size() == 1);
	CHECK(rest[0].children == std::vector<std::uint32_t>{11});
}

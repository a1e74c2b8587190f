// SPDX-License-Identifier: Apache-2.0
#include "discovery/requests.h"

#include <string>
#include <vector>

#include "catch.h"
#include "discovery/loop_evidence.h"
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

TEST_CASE("the workers of a master that serves nobody itself are followed, and the master's new ones, too") {
	const FixtureTree tree;
	process_in(tree, 10, "11 12", "socket:[1]");
	process_in(tree, 11, "", "anon_inode:[eventpoll]");
	process_in(tree, 12, "", "socket:[1]");
	process_in(tree, 20, "21", "anon_inode:[eventpoll]"); // a loop of its own
	process_in(tree, 21, "", "anon_inode:[eventpoll]");
	const process::ProcFs proc(tree.root());
	std::vector<collector::FollowRequest> named{{10, false, std::nullopt}, {20, false, std::nullopt}, {12, false, std::nullopt}};
	const auto workers = discovery::follow_workers(named, proc);
	REQUIRE(workers.size() == 1);
	CHECK(workers[0].parent == 10);
	CHECK(workers[0].children == std::vector<std::uint32_t>{11});
	CHECK(named[0].children);
	CHECK_FALSE(named[1].children);
	CHECK_FALSE(named[2].children);
}

TEST_CASE("a loop that waits for a child in a private queue is on the queue that has its sockets") {
	const FixtureTree tree;
	process_in(tree, 10, "", "socket:[77]");
	tree.process(1, "init", 1);
	tree.link("10/fd/5", "anon_inode:[eventpoll]");
	tree.link("10/fd/7", "anon_inode:[eventpoll]");
	tree.link("10/fd/8", "pipe:[9]");
	tree.file("10/fdinfo/5", "pos:\t0\nflags:\t02\ntfd:        3 events:       19 data: 3  pos:0 ino:9 sdev:8\n");
	tree.file("10/fdinfo/7", "pos:\t0\nflags:\t02\ntfd:        8 events:       19 data: 8  pos:0 ino:9 sdev:8\n");
	tree.file("10/net/tcp",
	          "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	          "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000001 00:00000000 00000000     0        0 77 1 0\n");
	const process::ProcFs proc(tree.root());
	const auto sockets = [&] { return process::serving_sockets(proc, 10).value(); };
	CHECK(discovery::has_several_event_queues(proc, 10));
	CHECK(discovery::interrupted_loop(proc, 10, sockets(), 7, {7}) == 5);
	CHECK_FALSE(discovery::interrupted_loop(proc, 10, sockets(), 5, {5}));    // it sleeps in its own
	CHECK_FALSE(discovery::interrupted_loop(proc, 10, sockets(), 7, {5, 7})); // another thread waits on that
	tree.file("10/fdinfo/7", "pos:\t0\nflags:\t02\ntfd:        5 events:       19 data: 5  pos:0 ino:9 sdev:8\n");
	CHECK_FALSE(discovery::interrupted_loop(proc, 10, sockets(), 7, {7})); // one in the other
}

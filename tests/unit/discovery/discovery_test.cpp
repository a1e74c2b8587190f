// SPDX-License-Identifier: Apache-2.0
#include "discovery/discovery.h"

#include <set>
#include <string>

#include "catch.h"
#include "discovery/loop_evidence.h"
#include "discovery/requests.h"
#include "fakes/fake_collector.h"
#include "fixture.h"

using namespace loopsnoop;
using discovery::Discovery;

namespace {

constexpr std::uint64_t s = 1'000'000'000;
constexpr std::uint32_t pid = 5'000'001; // beyond PID_MAX_LIMIT: never a process of this machine

struct Host {
	FixtureTree tree;
	FakeCollector collector;
	std::set<std::uint32_t> followed;
	std::uint64_t now = 1000 * s;

	// Asleep in an epoll call since long ago, unless the test says otherwise.
	UnfollowedThread &thread(std::uint32_t of, const std::string &name, std::uint32_t tid = 0) {
		if (tid == 0) {
			tree.process(of, name, of);
			tree.link(std::to_string(of) + "/exe", "/usr/bin/" + name);
		}
		UnfollowedThread thread;
		thread.pid = of;
		thread.tid = tid == 0 ? of : tid;
		thread.born_ns = 1;
		thread.thread = name;
		thread.in = UnfollowedThread::In::epoll;
		thread.poll_fd = 4;
		return collector.unfollowed.emplace_back(thread);
	}
	[[nodiscard]] Discovery discovery(discovery::DiscoverySettings settings = {}) const {
		auto made = Discovery::create(settings, process::ProcFs(tree.root()));
		REQUIRE(made);
		return std::move(*made);
	}
	std::vector<std::uint32_t> take(Discovery &from) {
		std::vector<std::uint32_t> pids;
		for (const collector::FollowRequest &one :
		     from.take(collector, now, [&](std::uint32_t id) { return followed.contains(id); })) {
			CHECK(one.found);
			pids.push_back(one.pid);
		}
		return pids;
	}
};

} // namespace

TEST_CASE("a census finds who sleeps in an epoll call, at the start and every few seconds") {
	Host host;
	host.thread(pid, "server");
	Discovery discovery = host.discovery();
	CHECK(host.take(discovery) == std::vector{pid});
	host.thread(pid + 1, "later");
	host.now += 1 * s;
	CHECK(host.take(discovery).empty());
	host.followed = {pid};
	host.now += 5 * s;
	CHECK(host.take(discovery) == std::vector{pid + 1});
}

TEST_CASE("threads that share an epoll descriptor are a pool, no loops") {
	Host host;
	host.thread(pid, "pool");
	host.thread(pid, "pool-1", pid + 1);
	Discovery discovery = host.discovery();
	CHECK(host.take(discovery).empty());
}

TEST_CASE("backends of PostgreSQL and loopsnoop itself are no loops, unless the first are asked for") {
	Host host;
	host.thread(pid, "postgres");
	host.thread(pid + 1, "loopsnoop");
	Discovery all = host.discovery();
	CHECK(host.take(all).empty());
	Discovery asked = host.discovery({{"postgres"}, {}, false});
	CHECK(host.take(asked) == std::vector{pid});
}

TEST_CASE("a thread that polls like a loop is taken up at once, one at a terminal is not") {
	Host host;
	host.tree.process(pid, "server", pid);
	Discovery discovery = host.discovery();
	(void)host.take(discovery);
	Candidate candidate;
	candidate.pid = candidate.tid = pid;
	candidate.comm = "server";
	discovery.on(candidate);
	discovery.on(candidate);
	CHECK(host.take(discovery) == std::vector{pid});
	CHECK(host.take(discovery).empty());

	host.tree.file(std::to_string(pid) + "/stat",
	               std::to_string(pid) + " (vim) S 1 1 1 34816 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0\n");
	candidate.weak = true;
	discovery.on(candidate);
	CHECK(host.take(discovery).empty());
}

TEST_CASE("only processes whose name fits are followed, and their children if that is asked for") {
	Host host;
	host.thread(pid, "shop-api");
	host.thread(pid + 1, "other");
	Discovery discovery = host.discovery({{"^shop-"}, {}, true});
	const auto found = discovery.take(host.collector, host.now, [](std::uint32_t) { return false; });
	REQUIRE(found.size() == 1);
	CHECK(found[0].pid == pid);
	CHECK(found[0].children);
}

TEST_CASE("what is no expression, or no cgroup, is said") {
	const FixtureTree tree;
	CHECK_FALSE(Discovery::create({{"("}, {}, false}, process::ProcFs(tree.root())));
	CHECK_FALSE(Discovery::create({{}, {"/no/such/cgroup-of-loopsnoop"}, false}, process::ProcFs(tree.root())));
}

TEST_CASE("a known server that has an event queue and does not poll is followed as a server") {
	Host host;
	UnfollowedThread &main = host.thread(pid, "nginx");
	main.in = UnfollowedThread::In::something;
	Discovery discovery = host.discovery();
	CHECK(host.take(discovery).empty());
	host.tree.link(std::to_string(pid) + "/fd/5", "anon_inode:[eventpoll]");
	host.now += 6 * s;
	const auto found = discovery.take(host.collector, host.now, [](std::uint32_t) { return false; });
	REQUIRE(found.size() == 1);
	CHECK(found[0].server);
}

TEST_CASE("an event queue is an epoll descriptor or an io_uring") {
	const FixtureTree tree;
	tree.process(10, "a", 10);
	tree.link("10/fd/0", "/dev/null");
	tree.link("10/fd/7", "socket:[9]");
	const process::ProcFs proc(tree.root());
	CHECK_FALSE(discovery::has_event_queue(proc, 10));
	tree.link("10/fd/8", "anon_inode:[io_uring]");
	CHECK(discovery::has_event_queue(proc, 10));
	CHECK_FALSE(discovery::has_event_queue(proc, 11));
}

TEST_CASE("requests are for those that were named, each once, with the thread that is a loop") {
	const FixtureTree tree;
	for (const unsigned one : {10U, 20U}) {
		tree.process(one, "server", one);
		tree.link(std::to_string(one) + "/exe", "/usr/bin/server");
	}
	tree.process(11, "thread", 10);
	const process::ProcFs proc(tree.root());
	std::vector<std::string> missing;
	const auto both = discovery::requests_for({10, 20, 10}, {11}, true, proc, missing);
	REQUIRE(both);
	REQUIRE(both->size() == 2);
	CHECK((*both)[0].forced_tid == 11);
	CHECK((*both)[0].children);
	CHECK_FALSE((*both)[1].forced_tid);
	CHECK_FALSE(discovery::requests_for({20}, {11}, false, proc, missing)); // of another process
	CHECK_FALSE(discovery::requests_for({}, {99}, false, proc, missing));
	CHECK_FALSE(discovery::requests_for({11}, {}, false, proc, missing)); // a thread, not a process
	CHECK(missing.empty());
	REQUIRE(discovery::requests_for({10, 98}, {}, false, proc, missing)); // one of several is gone
	CHECK(missing ==
	      std::vector<std::string>{"process 98, which was named: there is no such process (any more); the others are followed"});
	CHECK_FALSE(discovery::requests_for({97, 98}, {}, false, proc, missing));
	const auto by_thread = discovery::requests_for({}, {11}, false, proc, missing);
	REQUIRE(by_thread);
	CHECK(by_thread->front().pid == 10);
}

TEST_CASE("those below a process that is followed with its children are found, as they are now") {
	const FixtureTree tree;
	for (const auto &[one, children] : {std::pair{10U, "11"}, {11U, "12"}, {12U, ""}}) {
		tree.process(one, "server", one);
		tree.link(std::to_string(one) + "/exe", "/usr/bin/server");
		tree.file(std::to_string(one) + "/task/" + std::to_string(one) + "/children", children);
	}
	tree.link("12/fd/3", "anon_inode:[eventpoll]");
	const process::ProcFs proc(tree.root());
	const auto found = discovery::descendants_of({{10, true, std::nullopt}}, proc);
	REQUIRE(found.size() == 2);
	CHECK(found[0].pid == 11);
	CHECK_FALSE(found[0].server);
	CHECK(found[1].pid == 12);
	CHECK(found[1].server);
	CHECK(discovery::descendants_of({{10, false, std::nullopt}}, proc).empty());
}

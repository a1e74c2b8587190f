// SPDX-License-Identifier: Apache-2.0
#include "analysis/wait_graph.h"

#include "analysis/threads.h"
#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::analysis_test;

namespace {

using Tids = std::vector<std::uint32_t>;

Tids tids_of(const std::vector<const ThreadView *> &links) {
	Tids tids;
	for (const ThreadView *link : links) {
		tids.push_back(link->tid);
	}
	return tids;
}

const std::set<std::uint32_t> everyone{1, 2, 3, 4, 5};

ThreadSnapshot asleep(std::uint32_t tid, std::uint64_t switches) {
	ThreadSnapshot snapshot;
	snapshot.tid = tid;
	snapshot.switches = switches;
	snapshot.syscall = 202;
	snapshot.args = {0x7000, 128, 2, 0, 0, 0};
	return snapshot;
}

} // namespace

TEST_CASE("a chain is followed down to the thread that waits for no lock") {
	const std::vector<ThreadView> threads{waits_for(1, "a", 2), waits_for(2, "b", 3), idle(3, "c"), waits_for(4, "d", 3)};
	const WaitGraph graph(threads);
	CHECK(tids_of(graph.chain(1)) == Tids{1, 2, 3});
	CHECK(tids_of(graph.chain(3)) == Tids{3});
	CHECK(tids_of(graph.chain(9)).empty());
	CHECK_FALSE(graph.deadlock(everyone, 1).has_value());
	const auto held_up = graph.held_up();
	CHECK(held_up == std::map<std::uint32_t, std::size_t>{{2, 1}, {3, 3}});
}

TEST_CASE("a chain ends at a holder that is gone") {
	const std::vector<ThreadView> threads{waits_for(1, "a", 2), waits_for(2, "b", 77)};
	const WaitGraph graph(threads);
	CHECK(tids_of(graph.chain(1)) == Tids{1, 2});
	CHECK_FALSE(graph.deadlock(everyone, 1).has_value());
}

TEST_CASE("one more thread is part of the graph") {
	const std::vector<ThreadView> threads{waits_for(2, "b", 1)};
	const ThreadView self = waits_for(1, "a", 2);
	CHECK(tids_of(WaitGraph(threads, &self).chain(1)) == Tids{1, 2});
	CHECK(WaitGraph(threads, &self).deadlock(everyone, 1) == Tids{1, 2});
}

TEST_CASE("two and three threads that wait for each other are a deadlock, listed from where it is asked") {
	const std::vector<ThreadView> two{waits_for(1, "a", 2), waits_for(2, "b", 1), idle(3, "c")};
	CHECK(WaitGraph(two).deadlock(everyone, std::nullopt) == Tids{1, 2});
	CHECK(WaitGraph(two).deadlock(everyone, 2) == Tids{2, 1});
	CHECK(tids_of(WaitGraph(two).chain(2)) == Tids{2, 1});
	const std::vector<ThreadView> three{waits_for(1, "a", 3), waits_for(2, "b", 1), waits_for(3, "c", 2)};
	CHECK(WaitGraph(three).deadlock(everyone, std::nullopt) == Tids{1, 3, 2});
}

TEST_CASE("a thread that waits for what it holds itself is a deadlock of one") {
	const std::vector<ThreadView> threads{waits_for(1, "a", 1), waits_for(2, "b", 1)};
	CHECK(WaitGraph(threads).deadlock(everyone, 1) == Tids{1});
	CHECK(WaitGraph(threads).deadlock(everyone, 2) == Tids{1});
	CHECK(WaitGraph(threads).held_up() == std::map<std::uint32_t, std::size_t>{{1, 1}});
}

TEST_CASE("a circle that the start only leads into does not contain it") {
	const std::vector<ThreadView> threads{waits_for(1, "a", 3), waits_for(2, "b", 3), waits_for(3, "c", 2)};
	CHECK(WaitGraph(threads).deadlock(everyone, 1) == Tids{3, 2});
	CHECK(tids_of(WaitGraph(threads).chain(1)) == Tids{1, 3, 2});
	CHECK(WaitGraph(threads).deadlock(everyone, std::nullopt) == Tids{2, 3});
}

TEST_CASE("a circle elsewhere is found, too; the one that the start is in goes before it") {
	const std::vector<ThreadView> threads{waits_for(1, "a", 2), waits_for(2, "b", 1), waits_for(3, "c", 4), waits_for(4, "d", 3),
	                                      idle(5, "e")};
	CHECK(WaitGraph(threads).deadlock(everyone, 5) == Tids{1, 2});
	CHECK(WaitGraph(threads).deadlock(everyone, 4) == Tids{4, 3});
}

TEST_CASE("an edge between threads that were not seen to hold still makes no deadlock") {
	const std::vector<ThreadView> threads{waits_for(1, "a", 2), waits_for(2, "b", 1)};
	CHECK_FALSE(WaitGraph(threads).deadlock({1}, 1).has_value());
	CHECK_FALSE(WaitGraph(threads).deadlock({2}, 1).has_value());
	CHECK_FALSE(WaitGraph(threads).deadlock({}, std::nullopt).has_value());
}

TEST_CASE("a holder that is inferred makes a chain, but no deadlock") {
	const std::vector<ThreadView> threads{waits_for(1, "a", 2, true), waits_for(2, "b", 1)};
	CHECK(tids_of(WaitGraph(threads).chain(1)) == Tids{1, 2});
	CHECK_FALSE(WaitGraph(threads).deadlock(everyone, 1).has_value());
	const std::vector<ThreadView> itself{waits_for(1, "a", 1, true)};
	CHECK_FALSE(WaitGraph(itself).deadlock(everyone, 1).has_value());
}

TEST_CASE("threads hold still when nothing of them differs between two snapshots") {
	const std::vector<ThreadSnapshot> before{asleep(1, 7), asleep(2, 7), asleep(3, 7), asleep(4, 7), asleep(5, 7), asleep(6, 7)};
	std::vector<ThreadSnapshot> after{asleep(1, 7), asleep(2, 8), asleep(3, 7), asleep(4, 7), asleep(5, 7), asleep(8, 7)};
	after[2].args[0] = 0x8000;
	after[3].syscall = 0;
	after[4].state = ThreadView::State::runnable;
	CHECK(held_still(before, after) == std::set<std::uint32_t>{1});
	std::vector<ThreadSnapshot> running{asleep(1, 7)};
	running[0].running = true;
	running[0].state = ThreadView::State::running;
	CHECK(held_still(running, running).empty());
}

// SPDX-License-Identifier: Apache-2.0
#include "analysis/restarts.h"

#include "catch.h"
#include "summary/restarts.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::summary;

namespace {

constexpr std::uint64_t s = 1'000'000'000;

ProcessLife reloader() {
	ProcessLife life;
	life.pid = 10;
	life.comm = "uvicorn";
	life.command = "python3 -m uvicorn --reload shop:app";
	life.start_ns = s;
	life.lived_ns = 60 * s;
	return life;
}

ProcessLife worker(std::uint32_t pid, std::uint64_t start_ns, std::uint64_t lived_ns) {
	ProcessLife life;
	life.pid = pid;
	life.parent = 10;
	life.comm = "python3";
	life.command = "python3 -c spawn_main(tracker_fd=6, pipe_handle=" + std::to_string(pid) + ")";
	life.start_ns = start_ns;
	life.lived_ns = lived_ns;
	life.ended = true;
	life.signal = "SIGTERM";
	life.accepted = 0;
	life.ended_by = ProcessLife::EndedBy{"SIGTERM", 10, "uvicorn"};
	life.doing = "sleeping (2." + std::to_string(pid) + " s asked for)";
	life.culprit = SourceFrame{"load", "/srv/shop.py", 17};
	life.writes = {{"/srv/__pycache__/shop.cpython-311.pyc", start_ns + lived_ns - 1},
	               {"/srv/build_info.py", start_ns + lived_ns - s / 4},
	               {"/dev/null", start_ns + lived_ns - 1}};
	return life;
}

} // namespace

TEST_CASE("workers that are begun again and again are shown as one") {
	std::vector<ProcessLife> lives{reloader(), worker(11, 2 * s, s), worker(12, 4 * s, 2 * s), worker(13, 8 * s, s)};
	ProcessLife tracker = worker(14, 2 * s, 50 * s);
	tracker.command = "python3 -c from multiprocessing.resource_tracker import main";
	lives.push_back(tracker);
	ProcessLife running = worker(15, 20 * s, s);
	running.ended = false;
	lives.push_back(running);
	const auto all = find_restarts(lives);
	REQUIRE(all.size() == 1);
	const Restarts &restarts = all.front();
	CHECK(restarts.parent == 10);
	CHECK(restarts.workers == std::vector<std::uint32_t>{11, 12, 13});
	CHECK(restarts.shortest_ns == s);
	CHECK(restarts.longest_ns == 2 * s);
	CHECK(restarts.served.empty());
	CHECK(restarts.file == "/srv/build_info.py");
	CHECK(restarts.file_by_worker);
	CHECK(restarts.file_before_ns == s / 4);
	const auto words = format_restarts(restarts);
	REQUIRE(words.size() == 3);
	CHECK(words[0] == "3 workers of uvicorn (pid 10) lived 1.00 s to 2.00 s; none of them served: none came to an event loop or "
	                  "accepted a connection");
	CHECK(words[1] ==
	      "ended by SIGTERM of uvicorn (pid 10) each time, then sleeping (2.13 s asked for) in load (/srv/shop.py:17)");
	CHECK(words[2] ==
	      "each time before the end /srv/build_info.py had been opened for writing by the worker itself, 250 ms before "
	      "it at most");
}

TEST_CASE("who of them served is named, and a file that only some wrote is not") {
	std::vector<ProcessLife> lives{reloader(), worker(11, 2 * s, s), worker(12, 4 * s, 2 * s)};
	lives[1].accepted = 7;
	lives[1].came_to_loop = true;
	lives[2].writes.clear();
	const auto all = find_restarts(lives);
	REQUIRE(all.size() == 1);
	CHECK(all.front().served == std::vector<std::uint32_t>{11});
	CHECK(all.front().file.empty());
	CHECK(format_restarts(all.front()).front() ==
	      "2 workers of uvicorn (pid 10) lived 1.00 s to 2.00 s; 1 of them served: pid 11");
}

TEST_CASE("a file that another of the followed processes wrote counts, but is not the worker's") {
	std::vector<ProcessLife> lives{reloader(), worker(11, 2 * s, s), worker(12, 4 * s, s)};
	lives[1].writes.clear();
	lives[2].writes.clear();
	lives[0].writes = {{"/srv/app.py", 2 * s + s / 2}, {"/srv/app.py", 4 * s + s / 2}};
	const auto all = find_restarts(lives);
	REQUIRE(all.size() == 1);
	CHECK(all.front().file == "/srv/app.py");
	CHECK_FALSE(all.front().file_by_worker);
}

TEST_CASE("what is not known is not said: no hooks, no signal, no stack") {
	std::vector<ProcessLife> lives{reloader(), worker(11, 2 * s, s), worker(12, 4 * s, s)};
	for (ProcessLife &life : lives) {
		life.accepted.reset();
		life.ended_by.reset();
		life.doing.clear();
		life.writes.clear();
	}
	const auto all = find_restarts(lives);
	REQUIRE(all.size() == 1);
	const auto words = format_restarts(all.front());
	REQUIRE(words.size() == 1);
	CHECK(words.front() == "2 workers of uvicorn (pid 10) lived 1.00 s; none came to an event loop");
}

TEST_CASE("a line that was read of one worker is shown, though of most nobody could read it in time") {
	std::vector<ProcessLife> lives{reloader(), worker(11, 2 * s, s), worker(12, 4 * s, s), worker(13, 6 * s, s),
	                               worker(14, 8 * s, s)};
	lives[1].culprit.reset();
	lives[2].culprit.reset();
	auto all = find_restarts(lives);
	REQUIRE(all.size() == 1);
	REQUIRE(all.front().culprit);
	CHECK(all.front().culprit->line == 17);
	CHECK(all.front().doing_count == 4);
	lives[4].culprit->line = 99; // one of two lines that are known, beside two that are not
	CHECK(find_restarts(lives).front().doing_count == 3);
	lives[3].culprit.reset();
	lives[4].culprit.reset();
	all = find_restarts(lives);
	CHECK_FALSE(all.front().culprit);
	CHECK(all.front().doing_count == 4);
}

TEST_CASE("one process that ends is no restart") {
	CHECK(find_restarts({reloader(), worker(11, 2 * s, s)}).empty());
	CHECK(find_restarts({}).empty());
}

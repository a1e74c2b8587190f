// SPDX-License-Identifier: Apache-2.0
#include "inspect/programs.h"

#include <unistd.h>

#include <filesystem>

#include "catch.h"
#include "fixture.h"

using namespace loopsnoop;
using inspect::Programs;

TEST_CASE("the other end of something goes by the name of the process that has its pid now") {
	const FixtureTree tree;
	tree.process(10, "postgres", 10);
	Programs programs((process::ProcFs(tree.root())));
	CHECK(programs.peer(10).comm == "postgres");
	tree.process(10, "cron", 10, 'S', 0, 200);
	usleep(120'000); // a start is read again after 100 ms
	CHECK(programs.peer(10).comm == "cron");
}

TEST_CASE("of a process that has ended the last name stays until it is forgotten") {
	const FixtureTree tree;
	tree.process(10, "postgres", 10);
	Programs programs((process::ProcFs(tree.root())));
	CHECK(programs.peer(10).comm == "postgres");
	std::filesystem::remove_all(tree.path("10"));
	usleep(120'000);
	CHECK(programs.peer(10).comm == "postgres");
	programs.forget_gone();
	CHECK(programs.peer(10).comm.empty());
}

TEST_CASE("who has the pid of a process that was asked for is another one") {
	const FixtureTree tree;
	tree.process(10, "postgres", 10);
	tree.process(11, "redis", 11);
	Programs programs((process::ProcFs(tree.root())));
	programs.set_comm(11, "named so");
	CHECK(programs.peer(10).comm == "postgres");
	tree.process(10, "cron", 10, 'S', 0, 200);
	programs.forget_gone();
	CHECK(programs.comm(10) == "cron");
	CHECK(programs.comm(11) == "named so");
}

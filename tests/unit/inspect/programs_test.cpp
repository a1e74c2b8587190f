// SPDX-License-Identifier: Apache-2.0
#include "inspect/programs.h"

#include <unistd.h>

#include <filesystem>

#include "catch.h"
#include "fixture.h"

using namespace loopsnoop;
using inspect::Programs;

namespace {

void wait_for_next_look() { usleep(120'000); } // a start is read again after 100 ms

} // namespace

TEST_CASE("the other end of something goes by the name of the process that has its pid now") {
	const FixtureTree tree;
	tree.process(10, "postgres", 10);
	Programs programs((process::ProcFs(tree.root())));
	CHECK(programs.peer(10).comm == "postgres");
	tree.process(10, "cron", 10, 'S', 0, 200);
	wait_for_next_look();
	CHECK(programs.peer(10).comm == "cron");
}

TEST_CASE("of a process that has ended the last name stays until it is forgotten") {
	const FixtureTree tree;
	tree.process(10, "postgres", 10);
	Programs programs((process::ProcFs(tree.root())));
	CHECK(programs.peer(10).comm == "postgres");
	std::filesystem::remove_all(tree.path("10"));
	wait_for_next_look();
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

TEST_CASE(
    "with its pid a process loses nothing but the pid: another one is read anew, and what was handed out stays for a while") {
	const FixtureTree tree;
	tree.process(10, "node", 10);
	tree.link("10/exe", "/opt/bin/node");
	tree.file("10/maps", "");
	Programs programs((process::ProcFs(tree.root())));
	programs.set_comm(10, "named so");
	const ProcessName &name = programs.name(10);
	const ProcessName before = name;
	CHECK(programs.runtime(10).kind == RuntimeKind::node);
	std::filesystem::remove(tree.path("10/exe"));
	tree.link("10/exe", "/opt/bin/cron");
	wait_for_next_look();
	CHECK(programs.runtime(10).kind == RuntimeKind::node); // what a process is does not change
	tree.process(10, "cron", 10, 'S', 0, 200);
	wait_for_next_look();
	CHECK(programs.runtime(10).kind == RuntimeKind::native);
	CHECK(programs.comm(10) == "cron");
	CHECK(programs.name(10).service == "cron");
	CHECK(name.service == before.service);
}

// SPDX-License-Identifier: Apache-2.0
#include "inspect/children.h"

#include <filesystem>
#include <string>

#include "catch.h"
#include "fixture.h"

using namespace loopsnoop;
using inspect::Children;

namespace {

constexpr std::uint64_t s = 1'000'000'000;

void process_in_namespace(const FixtureTree &tree, unsigned pid, unsigned inner) {
	tree.process(pid, "app", pid);
	const std::string folder = std::to_string(pid);
	tree.file(folder + "/status", "Name:\tapp\nState:\tS\nTgid:\t" + folder + "\nPPid:\t1\nUid:\t0\t0\t0\t0\nNSpid:\t" + folder +
	                                  "\t" + std::to_string(inner) + "\nThreads:\t1\n");
}

} // namespace

TEST_CASE("a child goes by its program's name, also after it has ended") {
	const FixtureTree tree;
	tree.process(10, "sh", 10);
	Children children((process::ProcFs(tree.root())));
	children.forked(1, 10, 0);
	CHECK(children.knows(10));
	tree.file("10/comm", "convert\n"); // its exec
	children.refresh(s / 2);
	std::filesystem::remove_all(tree.path("10"));
	children.refresh(s);
	CHECK(children.comm(10) == "convert");
	children.refresh(100 * s);
	CHECK_FALSE(children.knows(10));
	CHECK_FALSE(children.comm(10));
}

TEST_CASE("a child whose pid is another's by now keeps its name, and is forgotten") {
	const FixtureTree tree;
	tree.process(10, "convert", 10);
	Children children((process::ProcFs(tree.root())));
	children.forked(1, 10, 0);
	tree.process(10, "cron", 10, 'S', 0, 200);
	children.refresh(s / 2);
	CHECK(children.comm(10) == "convert");
	children.refresh(100 * s);
	CHECK_FALSE(children.knows(10));
}

TEST_CASE("a child is known by the pid that its parent has for it") {
	const FixtureTree tree;
	process_in_namespace(tree, 100, 1);
	process_in_namespace(tree, 101, 7);
	tree.process(50, "app", 50);
	Children children((process::ProcFs(tree.root())));
	children.forked(100, 101, 0);
	CHECK(children.outer_pid(100, 7) == 101);
	CHECK_FALSE(children.outer_pid(100, 8));
	CHECK(children.outer_pid(50, 51) == 51); // our own namespace
}

TEST_CASE("of more children than are kept the latest that live are not forgotten") {
	const FixtureTree tree;
	Children children((process::ProcFs(tree.root())));
	for (std::uint32_t pid = 1000; pid < 1300; pid++) { // none is in /proc
		children.forked(1, pid, 0);
		children.refresh(1);
	}
	CHECK(children.knows(1299));
}

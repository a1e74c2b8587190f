// SPDX-License-Identifier: Apache-2.0
#include "process/target_check.h"

#include <unistd.h>

#include "catch.h"
#include "fixture.h"
#include "process/stand_in.h"

using namespace loopsnoop;
using process::check_target;

namespace {

std::string reason(const FixtureTree &tree, std::uint32_t pid) {
	const auto checked = check_target(process::ProcFs(tree.root()), pid);
	return checked ? "" : checked.error().describe();
}

bool says(const std::string &text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("what cannot be followed is recognised, each kind by itself") {
	const FixtureTree tree;
	tree.process(10, "odd) name)", 10, 'S', 0);
	tree.link("10/exe", "/bin/true");
	CHECK(reason(tree, 10).empty());

	CHECK(says(reason(tree, 99), "No such process"));
	tree.process(11, "odd) name)", 10, 'S', 0);
	CHECK(says(reason(tree, 11), "a thread of process 10: use -p 10 -t 11"));
	tree.process(12, "odd) name)", 12, 'Z', 0);
	CHECK(says(reason(tree, 12), "ended already"));
	tree.process(13, "odd) name)", 13, 'S', 0x00200000);
	tree.link("13/exe", "/bin/true"); // as if that link did not show it
	CHECK(says(reason(tree, 13), "kernel thread"));
}

TEST_CASE("a process whose main thread has ended, but not the others") {
	const FixtureTree tree;
	const process::ProcFs proc(tree.root());
	tree.process(20, "server", 20, 'Z', 0);
	for (const auto &[tid, state] : {std::pair{21U, 'Z'}, {22U, 'S'}}) {
		tree.process(tid, "worker", 20, state, 0);
		tree.file("20/task/" + std::to_string(tid) + "/stat", std::to_string(tid) + " (a) Z worker) " + state + " 1 1 1");
	}
	tree.link("22/exe", "/bin/true");
	CHECK(reason(tree, 20).empty());
	CHECK(proc.exe(20)->path == "/bin/true");
	CHECK(proc.comm(20) == "server");
	// The one that stood in for it ends as well: first another one, then none is left.
	tree.file("20/task/22/stat", "22 (worker) Z 1 1 1");
	tree.file("20/task/23/stat", "23 (worker) R 1 1 1");
	tree.link("23/exe", "/bin/false");
	CHECK(proc.exe(20)->path == "/bin/false");
	tree.file("20/task/23/stat", "23 (worker) Z 1 1 1");
	CHECK(says(reason(tree, 20), "ended already"));
	CHECK(process::stand_in(tree.root(), 20) == 20);
}

TEST_CASE("loopsnoop is not followed by itself") {
	CHECK(says(check_target(process::ProcFs(), static_cast<std::uint32_t>(getpid())).error().describe(), "loopsnoop itself"));
}

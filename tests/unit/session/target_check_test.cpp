// SPDX-License-Identifier: Apache-2.0
#include "session/target_check.h"

#include <unistd.h>

#include "catch.h"
#include "fixture.h"

using namespace loopsnoop;
using session::check_target;

namespace {

// `flags`: field 9 of stat.
void process_in(const FixtureTree &tree, unsigned pid, unsigned tgid, char state, unsigned flags) {
	const std::string folder = std::to_string(pid);
	tree.file(folder + "/stat",
	          folder + " (odd) name)) " + state + " 1 1 1 0 -1 " + std::to_string(flags) +
	              " 0 0 0 0 0 0 0 0 20 0 1 0 100 0 0 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n");
	tree.file(folder + "/status", "Name:\todd) name)\nState:\t" + std::string(1, state) + "\nTgid:\t" + std::to_string(tgid) +
	                                  "\nPid:\t" + folder + "\nPPid:\t1\nUid:\t0\t0\t0\t0\nNSpid:\t" + folder +
	                                  "\nThreads:\t1\n");
}

std::string reason(const FixtureTree &tree, std::uint32_t pid) {
	const auto checked = check_target(process::ProcFs(tree.root()), pid);
	return checked ? "" : checked.error().describe();
}

bool says(const std::string &text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("what cannot be followed is told apart") {
	const FixtureTree tree;
	process_in(tree, 10, 10, 'S', 0);
	tree.link("10/exe", "/bin/true");
	CHECK(reason(tree, 10).empty());

	CHECK(says(reason(tree, 99), "No such process"));
	process_in(tree, 11, 10, 'S', 0);
	CHECK(says(reason(tree, 11), "a thread of process 10: use -p 10 -t 11"));
	process_in(tree, 12, 12, 'Z', 0);
	CHECK(says(reason(tree, 12), "ended already"));
	process_in(tree, 13, 13, 'S', 0x00200000);
	tree.link("13/exe", "/bin/true"); // as if it could not be told by that
	CHECK(says(reason(tree, 13), "kernel thread"));
}

TEST_CASE("loopsnoop is not followed by itself") {
	CHECK(says(check_target(process::ProcFs(), static_cast<std::uint32_t>(getpid())).error().describe(), "loopsnoop itself"));
}

// SPDX-License-Identifier: Apache-2.0
#include "process/target_check.h"

#include <unistd.h>

#include "catch.h"
#include "fixture.h"

using namespace loopsnoop;
using process::check_target;

namespace {

std::string reason(const FixtureTree &tree, std::uint32_t pid) {
	const auto checked = check_target(process::ProcFs(tree.root()), pid);
	return checked ? "" : checked.error().describe();
}

bool says(const std::string &text, std::string_view part) { return text.find(part) != std::string::npos; }

} // namespace

TEST_CASE("what cannot be followed is told apart") {
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
	tree.link("13/exe", "/bin/true"); // as if it could not be told by that
	CHECK(says(reason(tree, 13), "kernel thread"));
}

TEST_CASE("loopsnoop is not followed by itself") {
	CHECK(says(check_target(process::ProcFs(), static_cast<std::uint32_t>(getpid())).error().describe(), "loopsnoop itself"));
}

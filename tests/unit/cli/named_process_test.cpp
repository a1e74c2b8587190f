// SPDX-License-Identifier: Apache-2.0
#include "cli/named_process.h"

#include <string>

#include "catch.h"
#include "fixture.h"

using namespace loopsnoop;
using namespace loopsnoop::cli;

namespace {

void python(const FixtureTree &tree, unsigned pid, const std::string &script) {
	tree.process(pid, "python3", pid);
	tree.link(std::to_string(pid) + "/exe", "/usr/bin/python3");
	tree.file(std::to_string(pid) + "/cmdline", std::string("python3\0", 8) + script + '\0');
}

} // namespace

TEST_CASE("a process is chosen by its pid, whatever that is") {
	const FixtureTree empty;
	CHECK(pid_of({4711, {}}, process::ProcFs(empty.root())).value() == 4711);
}

TEST_CASE("a name chooses the one process that goes by it; of several each is named, of none it is said") {
	const FixtureTree tree;
	python(tree, 5'000'001, "/srv/shop/web.py");
	python(tree, 5'000'002, "/srv/shop/worker.py");
	const process::ProcFs proc(tree.root());
	const auto one = pid_of({std::nullopt, "web.py"}, proc);
	INFO((one ? "" : one.error().describe()));
	REQUIRE(one);
	CHECK(one.value() == 5'000'001);
	const auto none = pid_of({std::nullopt, "api.py"}, proc);
	REQUIRE_FALSE(none);
	CHECK(none.error().describe().find("api.py") != std::string::npos);
	for (unsigned pid = 5'000'010; pid < 5'000'020; pid++) {
		python(tree, pid, "/srv/shop/crowd.py");
	}
	const auto many = pid_of({std::nullopt, "crowd.py"}, proc);
	REQUIRE_FALSE(many);
	const std::string line = many.error().describe();
	CHECK(line.find("10 go by that name: 5000010 crowd.py, ") != std::string::npos);
	CHECK(line.find("5000017 crowd.py, …; give one as -p PID") != std::string::npos);
	CHECK(line.find("5000018") == std::string::npos);
}

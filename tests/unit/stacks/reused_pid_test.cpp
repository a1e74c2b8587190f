// SPDX-License-Identifier: Apache-2.0
// Wakers and peers are not followed: nobody says when one of them has ended.
#include <unistd.h>

#include <filesystem>
#include <string>

#include "catch.h"
#include "fixture.h"
#include "process/procfs.h"
#include "stacks/symbolizer.h"

using namespace loopsnoop;

namespace {

constexpr std::uint32_t pid = 10;

std::string innermost(stacks::Symbolizer &symbolizer) {
	RawStack raw;
	raw.pid = raw.tid = pid;
	raw.have_registers = true;
	raw.registers.r[UserRegisters::instruction_pointer] = 0x1010;
	const Stack stack = symbolizer.native_and_kernel(raw);
	return stack.native.empty() ? std::string() : stack.native.front().function.value_or("");
}

} // namespace

TEST_CASE("who has the pid of a process whose stacks were resolved is another one") {
	const FixtureTree tree;
	tree.process(pid, "node", pid);
	tree.file("10/maps", "");
	tree.link("10/root", tree.path("inside"));
	tree.file("inside/tmp/perf-10.map", "1000 100 JS:~before /srv/app.js:10:3\n");
	stacks::Symbolizer symbolizer{process::ProcFs(tree.root())};
	CHECK(innermost(symbolizer) == "JS:~before /srv/app.js:10:3");
	std::filesystem::remove(tree.path("inside/tmp/perf-10.map"));
	usleep(120'000); // the start, and the file, are read again after 100 ms
	CHECK(innermost(symbolizer) == "JS:~before /srv/app.js:10:3");
	tree.process(pid, "cron", pid, 'S', 0, 200);
	usleep(120'000);
	CHECK(innermost(symbolizer).empty());
}

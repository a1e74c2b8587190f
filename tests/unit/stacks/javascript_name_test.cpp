// SPDX-License-Identifier: Apache-2.0
#include "stacks/javascript_name.h"

#include <string>

#include "catch.h"

using loopsnoop::stacks::javascript_frame;

namespace {

void check(const char *name, const char *function, const char *file, std::optional<int> line) {
	INFO(name);
	const auto frame = javascript_frame(name);
	REQUIRE(frame);
	CHECK(frame->function == function);
	CHECK(frame->file == file);
	CHECK(frame->line == line);
}

} // namespace

TEST_CASE("V8's names of functions are taken apart") {
	check("JS:~inner /srv/app/server.js:2:15", "inner", "/srv/app/server.js", 2);
	check("JS:*inner file:///srv/app/server.mjs:20:15", "inner", "/srv/app/server.mjs", 20);
	check("JS:^get size /srv/my app/list.js:7:1", "get size", "/srv/my app/list.js", 7);
	check("JS:+ /srv/app/server.js:1:1", "(anonymous)", "/srv/app/server.js", 1);
	check("LazyCompile:*spawnSync node:internal/child_process:1108:19", "spawnSync", "node:internal/child_process", 1108);
	check("LazyCompile:~foo /a.js:12", "foo", "/a.js", 12);
	check("Function:~run evalmachine.<anonymous>:3:4", "run", "evalmachine.<anonymous>", 3);
	check("JS:~f /a.js", "f", "/a.js", std::nullopt);
}

TEST_CASE("what is no JavaScript function is left alone") {
	for (const char *name :
	     {"", "Builtin:InterpreterEntryTrampoline", "RegExp:a b", "JS:", "JS:~", "JS:*nothing", "Stub:CEntryStub", "JS:~f "}) {
		INFO(name);
		CHECK_FALSE(javascript_frame(name));
	}
	check("JS:~f /a.js:99999999999999999999:1", "f", "/a.js:99999999999999999999", 1);
}

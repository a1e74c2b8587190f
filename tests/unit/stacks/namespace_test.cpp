// SPDX-License-Identifier: Apache-2.0
// Targets whose files and pids are not ours. Making namespaces needs root.
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "capture.h"
#include "catch.h"
#include "process/procfs.h"
#include "stacks/symbolizer.h"

using namespace loopsnoop;
using namespace loopsnoop::test;

namespace {

const std::string built = STACKS_BUILT;

bool have(const Stack &stack, const std::string &function, const std::string &module) {
	return std::any_of(stack.native.begin(), stack.native.end(), [&](const NativeFrame &frame) {
		return frame.function.value_or("") == function && frame.module.value_or("") == module;
	});
}

} // namespace

TEST_CASE("a target in a mount namespace of its own is read through its root") {
	if (geteuid() != 0) {
		WARN("needs root to make a mount namespace: not checked");
		return;
	}
	// /mnt there is a directory of which we see nothing: the program's path leads nowhere here.
	const std::string command = "mount -t tmpfs none /mnt && cp " + built + "/stacks_pie /mnt/program && exec /mnt/program";
	Child child({"unshare", "-m", "sh", "-c", command});
	REQUIRE(child.line() == "ready");
	REQUIRE(child.sleeps_in(SYS_clock_nanosleep));
	REQUIRE_FALSE(std::filesystem::exists("/mnt/program"));
	stacks::Symbolizer symbolizer{process::ProcFs()};
	const Stack stack = symbolizer.native_and_kernel(capture(child.pid()).value());
	CHECK_FALSE(stack.native_truncated);
	CHECK(have(stack, "target::block(int)", "/mnt/program"));
	CHECK(have(stack, "_start", "/mnt/program"));
}

TEST_CASE("a perf map is named after the pid inside the target's namespace") {
	if (geteuid() != 0) {
		WARN("needs root to make a pid namespace: not checked");
		return;
	}
	// In the namespace node is process 1: its map is /tmp/perf-1.map, in a /tmp of its own.
	Child child({"unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c",
	             "script=$(cat " + std::string(STACKS_SOURCES) +
	                 "/app.js) && mount -t tmpfs none /tmp && echo \"$script\" >/tmp/app.js && " +
	                 "exec node --perf-basic-prof --interpreted-frames-native-stack /tmp/app.js exec"});
	REQUIRE(child.line() == "ready");
	const process::ProcFs procfs;
	const auto children = procfs.children(child.pid());
	REQUIRE(children.size() == 1);
	stacks::Symbolizer symbolizer(procfs);
	Stack stack;
	for (int i = 0; i < 100 && stack.javascript.empty(); ++i) {
		usleep(100'000); // until it is in execSync
		if (const auto raw = capture(children[0], children[0], 65536)) {
			stack = symbolizer.native_and_kernel(*raw);
		}
	}
	CHECK_FALSE(std::filesystem::exists("/tmp/perf-1.map"));
	CHECK(std::any_of(stack.javascript.begin(), stack.javascript.end(),
	                  [](const SourceFrame &frame) { return frame.function == "inner"; }));
}

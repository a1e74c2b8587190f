// SPDX-License-Identifier: Apache-2.0
#include "analysis/database_wait.h"

#include <string>
#include <vector>

#include "catch.h"
#include "summary/wait.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::summary;

namespace {

NativeFrame frame(const std::string &function, const std::string &module) {
	NativeFrame one;
	if (!function.empty()) {
		one.function = function;
	}
	if (!module.empty()) {
		one.module = module;
	}
	return one;
}

Stack sleeping_in(std::vector<NativeFrame> callers) {
	Stack stack;
	stack.native = {frame("clock_nanosleep", "/usr/lib/libc.so.6"), frame("usleep", "/usr/lib/libc.so.6")};
	stack.native.insert(stack.native.end(), callers.begin(), callers.end());
	return stack;
}

} // namespace

TEST_CASE("SQLite is recognised by its library, or by its names within a program") {
	CHECK(sleeps_in_sqlite(sleeping_in({frame("", "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0.8.6")})));
	CHECK(sleeps_in_sqlite(sleeping_in({frame("", "/opt/python/_sqlite3.cpython-312-x86_64-linux-gnu.so")})));
	CHECK(
	    sleeps_in_sqlite(sleeping_in({frame("unixSleep", "/usr/bin/node"), frame("sqlite3InvokeBusyHandler", "/usr/bin/node")})));
	CHECK_FALSE(sleeps_in_sqlite(sleeping_in({frame("time_sleep", "/usr/bin/python3.11")})));
	CHECK_FALSE(sleeps_in_sqlite(sleeping_in({frame("f", "/home/sqlite/app.so"), frame("", "")})));
	CHECK_FALSE(sleeps_in_sqlite(Stack{}));
	// A function of the application that SQLite called, and that sleeps.
	const NativeFrame own = frame("_PyEval_EvalFrameDefault", "/usr/bin/python3.11");
	CHECK_FALSE(sleeps_in_sqlite(sleeping_in({own, own, own, frame("sqlite3_step", "/usr/lib/libsqlite3.so.0")})));
}

TEST_CASE("a wait for a database's lock is shown as one") {
	Wait wait;
	wait.cause = Cause::sleep;
	wait.syscall = "clock_nanosleep";
	wait.resource = Resource{FileResource{std::nullopt, "/srv/shop.db", Peer{812, "worker"}}};
	CHECK(is_database_wait(wait));
	CHECK(format_wait(wait) == "waiting for the lock of SQLite database /srv/shop.db held by worker (pid 812)");
	wait.resource = Resource{TimerResource{25'000'000}};
	CHECK_FALSE(is_database_wait(wait));
}

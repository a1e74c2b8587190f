// SPDX-License-Identifier: Apache-2.0
#include "catch.h"
#include "summary/no_end.h"
#include "summary/peer.h"
#include "summary/process.h"

using namespace loopsnoop;
using namespace loopsnoop::summary;

TEST_CASE("a process goes by what people call it") {
	CHECK(format_process({}, "python3") == "python3");
	CHECK(format_process({"python3 /usr/bin/uvicorn shop:app", "uvicorn shop:app"}, "uvicorn") == "uvicorn shop:app");
	CHECK(format_process({"python3 -m uvicorn shop:app", "uvicorn shop:app"}, "python3") == "python -m uvicorn shop:app");
	CHECK(format_process({"gunicorn: worker [shop]", "gunicorn: worker [shop]"}, "gunicorn") == "gunicorn: worker [shop]");
}

TEST_CASE("what a backend of PostgreSQL says that it does") {
	CHECK(activity_in_title("postgres: shop shop 127.0.0.1(51544) UPDATE waiting") == "UPDATE waiting");
	CHECK(activity_in_title("postgres: 15/main: shop shop [local] idle in transaction") == "idle in transaction");
	CHECK(activity_in_title("postgres: checkpointer ").empty());
	CHECK(activity_in_title("nginx: worker process").empty());
}

TEST_CASE("why nobody can end it, only while it goes on") {
	Stall stall;
	CHECK(format_no_end(stall).empty());
	stall.no_end = NoEnd::others_idle;
	stall.threads = std::vector<ThreadView>(3);
	CHECK(format_no_end(stall).empty());
	stall.ongoing = true;
	CHECK(format_no_end(stall) == "; no other thread can end this: all 3 others wait for work");
	CHECK(format_no_end(stall, Length::brief) == "; no other thread can end this");
	stall.no_end = NoEnd::before_fork;
	CHECK(format_no_end(stall).starts_with("; held since before the fork"));
	CHECK(format_no_end(stall, Length::brief) == "; held since before the fork: no other thread can end this");
	stall.no_end = NoEnd::each_other;
	CHECK(format_no_end(stall).starts_with("; each waits for the other"));
	CHECK(format_no_end(stall, Length::brief) == "; a deadlock");
}

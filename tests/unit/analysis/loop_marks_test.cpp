// SPDX-License-Identifier: Apache-2.0
#include "analysis/loop_marks.h"

#include "catch.h"

using namespace loopsnoop;
using loopsnoop::analysis::is_the_runtimes_own;
using loopsnoop::analysis::polls_for_itself;
using loopsnoop::analysis::runs_event_loop;

namespace {

Stack python(std::string function, std::string file) {
	Stack stack;
	stack.python = {{"handler", "/srv/app.py", 3}, {std::move(function), std::move(file), 100}};
	return stack;
}

Stack native(std::optional<std::string> function) {
	Stack stack;
	stack.native = {NativeFrame{"recv", "/lib/libc.so.6", 0, std::nullopt, std::nullopt},
	                NativeFrame{std::move(function), "/lib/libuv.so.1", 0, std::nullopt, std::nullopt}};
	return stack;
}

} // namespace

TEST_CASE("a thread under a loop's own function runs a loop") {
	CHECK(runs_event_loop(python("BaseEventLoop.run_forever", "/usr/lib/python3.11/asyncio/base_events.py")));
	CHECK(runs_event_loop(python("Runner.run", "/usr/lib/python3.11/asyncio/runners.py")));
	CHECK(runs_event_loop(python("run", "/usr/lib/python3.9/asyncio/runners.py")));
	CHECK(runs_event_loop(native("uv_run")));
	CHECK(runs_event_loop(native("aeMain")));
}

TEST_CASE("a worker that was forked inside a callback is not in its parent's loop") {
	Stack worker = python("Popen._launch", "/usr/lib/python3.11/multiprocessing/popen_fork.py");
	worker.python.insert(worker.python.begin(), SourceFrame{"work", "/srv/jobs.py", 7});
	worker.python.push_back(SourceFrame{"BaseEventLoop.run_forever", "/usr/lib/python3.11/asyncio/base_events.py", 600});
	worker.native = native("uv_run").native;
	CHECK_FALSE(runs_event_loop(worker));
	worker.python.insert(worker.python.begin(), SourceFrame{"Runner.run", "/usr/lib/python3.11/asyncio/runners.py", 118});
	CHECK(runs_event_loop(worker));
}

TEST_CASE("the thread for delayed tasks of Node's platform runs a loop that is none of the application's") {
	Stack stack = native("uv_run");
	CHECK_FALSE(is_the_runtimes_own(stack));
	stack.native.push_back(native("node::SpinEventLoop(node::Environment*)").native.back());
	CHECK_FALSE(is_the_runtimes_own(stack));
	stack = native("uv_run");
	stack.native.push_back(
	    native("node::WorkerThreadsTaskRunner::DelayedTaskScheduler::Start()::{lambda(void*)#1}::_FUN(void*)").native.back());
	CHECK(is_the_runtimes_own(stack));
	stack.native.back().function = std::nullopt;
	CHECK_FALSE(is_the_runtimes_own(stack));
}

TEST_CASE("names alike elsewhere are no loop") {
	CHECK_FALSE(runs_event_loop({}));
	CHECK_FALSE(runs_event_loop(python("run", "/srv/runners.py")));
	CHECK_FALSE(runs_event_loop(python("run_forever", "/srv/base_events.py")));
	CHECK_FALSE(runs_event_loop(python("BaseEventLoop.create_task", "/usr/lib/python3.11/asyncio/base_events.py")));
	CHECK_FALSE(runs_event_loop(python("", "")));
	CHECK_FALSE(runs_event_loop(native("uv_run_all")));
	CHECK_FALSE(runs_event_loop(native(std::nullopt)));
}

TEST_CASE("a poll call right under a loop's own function is the loop's, one under a callback is not") {
	const auto frame = [](std::optional<std::string> function, std::optional<std::string> module) {
		return NativeFrame{std::move(function), std::move(module), 0, std::nullopt, std::nullopt};
	};
	const NativeFrame poll = frame("poll", "/usr/lib/x86_64-linux-gnu/libc.so.6");
	const NativeFrame inside = frame(std::nullopt, "/usr/lib/x86_64-linux-gnu/libglib-2.0.so.0.7400.6");
	const NativeFrame mark = frame("g_main_loop_run", "/usr/lib/x86_64-linux-gnu/libglib-2.0.so.0.7400.6");
	const NativeFrame own = frame("main", "/usr/bin/conmon");
	Stack stack;
	CHECK_FALSE(polls_for_itself(stack));
	stack.native = {poll, inside, mark, own};
	CHECK(polls_for_itself(stack));
	stack.native = {poll, frame("__poll_chk", poll.module), inside, mark, own};
	CHECK(polls_for_itself(stack));
	stack.native = {poll, own, inside, mark, own}; // a callback's
	CHECK_FALSE(polls_for_itself(stack));
	stack.native = {poll, frame(std::nullopt, std::nullopt), inside, mark};
	CHECK_FALSE(polls_for_itself(stack));
	stack.native = {mark, own}; // in no call
	CHECK_FALSE(polls_for_itself(stack));
	stack.native = {poll, own};
	CHECK_FALSE(polls_for_itself(stack));
	// One file with its callbacks: which of them polls is not to be seen.
	stack.native = {poll, frame("on_request", "/usr/bin/server"), frame("uv_run", "/usr/bin/server"), own};
	CHECK_FALSE(polls_for_itself(stack));
}

TEST_CASE("a thread of the JVM is a loop by the name of its framework's") {
	CHECK(loopsnoop::analysis::is_loop_thread("nioEventLoopGro"));
	CHECK(loopsnoop::analysis::is_loop_thread("nioEven..oup-2-1"));
	CHECK(loopsnoop::analysis::is_loop_thread("XNIO-1 I/O-2"));
	CHECK_FALSE(loopsnoop::analysis::is_loop_thread("XNIO-1 task-1"));
	CHECK_FALSE(loopsnoop::analysis::is_loop_thread("vert.x-worker-t"));
	CHECK_FALSE(loopsnoop::analysis::is_loop_thread("java"));
}

TEST_CASE("a handler of Boost.Asio is inside a loop, whatever of it was inlined") {
	CHECK(runs_event_loop(
	    native("boost::asio::detail::scheduler::do_run_one(boost::asio::detail::conditionally_enabled_mutex::scoped_lock&)")));
	CHECK(runs_event_loop(native("ngx_process_events_and_timers")));
	CHECK_FALSE(runs_event_loop(native("boost::asio::io_context::post")));
}

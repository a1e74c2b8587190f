// SPDX-License-Identifier: Apache-2.0
#include "analysis/loop_marks.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "analysis/frame_names.h"

namespace loopsnoop::analysis {

namespace {

struct PythonMark {
	std::string_view file;     // how its path ends
	std::string_view function; // the last part of its name
};

constexpr std::array python_marks{
    PythonMark{"/asyncio/base_events.py", "run_forever"},
    PythonMark{"/asyncio/runners.py", "run"}, // with uvloop the loop itself has no frames of Python
    PythonMark{"/uvloop/__init__.py", "run"},
    PythonMark{"/trio/_core/_run.py", "run"},
    PythonMark{"/twisted/internet/base.py", "mainLoop"},
    PythonMark{"/tornado/platform/asyncio.py", "start"},
    PythonMark{"/gevent/hub.py", "run"},
};

constexpr std::array<std::string_view, 14> native_marks{
    "uv_run",          // libuv: Node, uvloop
    "event_base_loop", // libevent
    "ev_run",          // libev
    "aeMain",          // redis
    "ngx_worker_process_cycle",
    "ngx_single_process_cycle",
    "g_main_loop_run", // GLib
    "sd_event_loop",   // systemd
    "lws_service",     // libwebsockets
    "ngx_process_events_and_timers",
    "run_poll_loop", // haproxy
    "g_main_context_iteration",
    "sd_event_run",
    "event_process_active", // libevent
};

bool is_mark(const SourceFrame &frame) {
	return std::ranges::any_of(python_marks, [&](const PythonMark &mark) {
		return std::string_view(frame.file).ends_with(mark.file) && without_class(frame.function) == mark.function;
	});
}

// Of C++ and Rust, whose names have arguments and hashes behind them.
constexpr std::array<std::string_view, 4> native_prefixes{
    "boost::asio::detail::scheduler::", // run(), do_run_one(): one of them is left where the other is inlined
    "asio::detail::scheduler::",
    "seastar::reactor::",
    "tokio::runtime::scheduler::current_thread::",
};

bool is_mark(const NativeFrame &frame) {
	return frame.function &&
	       (std::ranges::find(native_marks, *frame.function) != native_marks.end() ||
	        std::ranges::any_of(native_prefixes, [&](std::string_view prefix) { return frame.function->starts_with(prefix); }));
}

bool is_shared_object(std::string_view module) { return module.find(".so") != std::string_view::npos; }

bool is_c_library(const std::optional<std::string> &module) { return module && module->find("/libc.") != std::string::npos; }

// A worker that multiprocessing (or billiard) has forked: the frames further out are those its parent had at that moment.
bool is_fork(const SourceFrame &frame) { return frame.file.ends_with("/popen_fork.py"); }

} // namespace

bool runs_event_loop(const Stack &stack) {
	const auto forked = std::ranges::find_if(stack.python, is_fork);
	const bool python = std::any_of(stack.python.begin(), forked, [](const SourceFrame &frame) { return is_mark(frame); });
	return python || (forked == stack.python.end() &&
	                  std::ranges::any_of(stack.native, [](const NativeFrame &frame) { return is_mark(frame); }));
}

bool polls_for_itself(const Stack &stack) {
	const auto mark = std::ranges::find_if(stack.native, [](const NativeFrame &frame) { return is_mark(frame); });
	// The innermost frame is the call itself, in the C library.
	if (mark == stack.native.end() || mark == stack.native.begin() || !mark->module || !is_shared_object(*mark->module)) {
		return false;
	}
	return std::all_of(stack.native.begin() + 1, mark,
	                   [&](const NativeFrame &frame) { return frame.module == mark->module || is_c_library(frame.module); });
}

bool is_the_runtimes_own(const Stack &stack) {
	return std::ranges::any_of(stack.native, [](const NativeFrame &frame) {
		return frame.function &&
		       frame.function->find("node::WorkerThreadsTaskRunner::DelayedTaskScheduler::") != std::string::npos;
	});
}

bool is_loop_thread(std::string_view thread) {
	constexpr std::array<std::string_view, 12> names{
	    "nioEventLoopGro", "nioEven..",       "epollEventLoopG", "epollEv..", "multiThreadIoEv", "multiTh..",
	    "vert.x-eventloo", "reactor-http-ni", "reactor-http-ep", "reactor..", "eventLoopGroupP", "grpc-nio-worker",
	};
	const bool undertow = thread.starts_with("XNIO-") && thread.find(" I/O-") != std::string_view::npos;
	return undertow || std::ranges::any_of(names, [&](std::string_view name) { return thread.starts_with(name); });
}

} // namespace loopsnoop::analysis

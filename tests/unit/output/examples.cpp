// SPDX-License-Identifier: Apache-2.0
#include "examples.h"

#include <cstdlib>
#include <utility>

#include "base/clock.h"

namespace loopsnoop::output::examples {

namespace {

// Local times of day in the expected texts are UTC.
const int utc = setenv("TZ", "UTC", 1); // NOLINT(concurrency-mt-unsafe)

} // namespace

std::string started_at(std::uint64_t monotonic_ns) {
	constexpr std::uint64_t epoch = 1'795'356'200; // 2026-11-22T14:03:20Z
	return rfc3339_utc((epoch * s) + monotonic_ns - begin);
}

SessionStart session() {
	return {"0.1.0", started_at(begin), begin, "web1", "6.18.5", 100 * ms, {"loopsnoop", "-p", "4711"}, {}, false, {}, {}};
}

LoopFound loop() {
	return {4711, 4711, "uvicorn", "uvicorn", begin, Runtime{RuntimeKind::cpython, "3.11.2"}, OwnPoll{"epoll_wait", 6}, {}};
}

SessionSummary session_summary(std::uint64_t stalls) {
	SessionSummary end;
	end.duration_ns = 60 * s;
	LoopTotals totals;
	totals.pid = 4711;
	totals.tid = 4711;
	totals.iterations = 12345;
	totals.busy_ns = 15 * s;
	totals.idle_ns = 45 * s;
	totals.stalls = stalls;
	totals.longest_ns = 320 * ms;
	end.loops.push_back(totals);
	return end;
}

Stall database_stall(std::uint64_t id, std::uint64_t start_ns, std::uint64_t duration_ns) {
	Stall stall;
	stall.id = id;
	stall.start_ns = start_ns;
	stall.started_at = started_at(start_ns);
	stall.duration_ns = duration_ns;
	stall.pid = stall.tid = 4711;
	stall.comm = stall.thread = "uvicorn";
	stall.cause = Cause::socket;
	part_of(stall.breakdown, Cause::socket) = {duration_ns - (19 * ms), 3};
	part_of(stall.breakdown, Cause::cpu) = {15 * ms, 4};
	part_of(stall.breakdown, Cause::runqueue) = {4 * ms, 1};
	stall.culprit = SourceFrame{"audit_middleware", "/srv/app/gateway/audit.py", 57};

	Wait wait;
	wait.cause = Cause::socket;
	wait.syscall = "poll";
	wait.start_ns = start_ns + ms;
	wait.duration_ns = duration_ns - (19 * ms);
	wait.count = 3;
	wait.resource = Resource{
	    SocketResource{9, "tcp", "127.0.0.1:51544", "127.0.0.1:5432", std::nullopt, "ESTABLISHED", Peer{812, "postgres"}}};
	Stack stack;
	stack.python = {{"do_commit", "/usr/lib/python3/dist-packages/sqlalchemy/default.py", 692},
	                {"Connection._commit_impl", "/usr/lib/python3/dist-packages/sqlalchemy/base.py", 1094},
	                {"RootTransaction._do_commit", "/usr/lib/python3/dist-packages/sqlalchemy/base.py", 2627},
	                {"Session.commit", "/usr/lib/python3/dist-packages/sqlalchemy/session.py", 1969},
	                {"audit_middleware", "/srv/app/gateway/audit.py", 57},
	                {"Handle._run", "/usr/lib/python3.11/asyncio/events.py", 80},
	                {"run", "/usr/lib/python3.11/asyncio/runners.py", 190}};
	stack.native = {{"__poll", "/usr/lib/x86_64-linux-gnu/libc.so.6", 0xfe0, std::nullopt, std::nullopt},
	                {"pqSocketPoll", "/usr/lib/x86_64-linux-gnu/libpq.so.5.15", 0x100, std::nullopt, std::nullopt},
	                {"pqWait", "/usr/lib/x86_64-linux-gnu/libpq.so.5.15", 0x200, std::nullopt, std::nullopt},
	                {"_PyEval_EvalFrameDefault", "/usr/bin/python3.11", 0x46, std::nullopt, std::nullopt},
	                {"_start", "/usr/bin/python3.11", 0x1, std::nullopt, std::nullopt}};
	stack.kernel = {{"schedule", 0x46},
	                {"schedule_hrtimeout_range_clock", 0x46},
	                {"poll_schedule_timeout.constprop.0", 0x46},
	                {"do_sys_poll", 0x46},
	                {"__x64_sys_poll", 0x46},
	                {"do_syscall_64", 0x46},
	                {"entry_SYSCALL_64_after_hwframe", 0x46}};
	wait.stack = stack;
	wait.stack_from = StackFrom::captured;
	stall.waits.push_back(wait);
	return stall;
}

Stall full_stall() {
	Stall stall = database_stall(7, begin + s, 320 * ms);
	stall.ongoing = true;
	stall.truncated = Truncated::before_attach;
	stall.summary = "blocked";
	stall.advice = "commit in a thread";
	stall.no_loop_yet = true;
	stall.goes_on = true;
	stall.startup = Startup{{{"127.0.0.1:8000", 2}, {"/run/x.sock", std::nullopt}}, 3 * s};
	stall.pool = PoolWait{"SQLAlchemy's connection pool", {4715}, {4716, 4717}};
	stall.peer = PeerSnapshot{812, "postgres", true, ThreadView{}};
	stall.peer->thread.tid = 812;
	Wait &wait = stall.waits.front();
	wait.run_delay_ns = 5;
	wait.ongoing = true;
	wait.waker = Waker{812, 813, "postgres", "writer", false, Stack{{}, {}, {}, {{"sock_def_readable", 0x1f}}, false}};
	wait.stack->native_truncated = true;
	Wait several;
	several.cause = Cause::poll;
	several.resource = Resource{FdsResource{{
	    Resource{FileResource{3, "/var/log/app.log"}},
	    Resource{PipeResource{1, "/run/x.fifo", Peer{980, "fluentd"}}},
	    Resource{PipeResource{}},
	    Resource{FutexResource{0x7f11aa00, LockKind::python_lock, Holder{4715, "worker", true}, "threading.Lock"}},
	    Resource{TimerResource{250 * ms}},
	    Resource{ProcessResource{4900, "git"}},
	    Resource{SocketResource{4, "unix", std::nullopt, std::nullopt, "@bus", std::nullopt, std::nullopt}},
	}}};
	several.waker = Waker{0, 0, "swapper", "swapper", true, std::nullopt};
	stall.waits.push_back(several);
	stall.cpu.push_back(CpuPart{12, 120 * ms, Stack{{{"loads", "json.py", std::nullopt}}, {{"f", "a.js", 3}}, {}, {}, false}});
	part_of(stall.breakdown, Cause::gil) = {2 * ms, 4};
	stall.gil = GilStory{
	    2 * ms, 4, {GilHolding{4715, "worker", 3, 2 * ms, Stack{{{"crunch", "/srv/app/report.py", 17}}, {}, {}, {}, false}}}};
	stall.gil->holders.emplace_back();
	stall.throttled_ns = 3 * ms;
	stall.task = StallTask{0x7f11bb00, "Task-7", "audit_middleware"};
	stall.gc = GcPart{60 * ms, 2};
	ThreadView thread;
	thread.tid = 4715;
	thread.thread = "worker";
	thread.state = ThreadView::State::disk_sleep;
	thread.waited_ns = 5 * s;
	thread.cause = Cause::file_io;
	thread.syscall = "fsync";
	thread.resource = Resource{FileResource{3, std::nullopt}};
	thread.holds_gil = false;
	thread.stack = Stack{};
	stall.threads = std::vector<ThreadView>{thread, ThreadView{}};
	stall.deadlock = std::vector<std::uint32_t>{4711, 4715};
	return stall;
}

Dump dump() {
	Dump dump;
	dump.pid = 4711;
	dump.comm = "uvicorn";
	dump.start_ns = begin;
	dump.started_at = started_at(begin);
	dump.look_ns = 3 * ms;
	const auto add = [&](std::uint32_t tid, std::string name, Cause cause, std::string syscall) -> ThreadView & {
		ThreadView &thread = dump.threads.emplace_back();
		thread.tid = tid;
		thread.thread = std::move(name);
		thread.cause = cause;
		thread.syscall = std::move(syscall);
		thread.holds_gil = false;
		return thread;
	};
	const auto waits_for = [](std::uint64_t address, Holder holder) {
		return Resource{FutexResource{address, LockKind::pthread_mutex, std::move(holder)}};
	};
	for (std::uint32_t i = 0; i < 5; i++) {
		ThreadView &idle = add(4720 + i, "pool_" + std::to_string(i), Cause::futex, "futex");
		idle.resource = Resource{FutexResource{0x9000 + i, LockKind::unknown, std::nullopt, "queue.Queue"}};
		idle.stack = Stack{{{"Queue.get", "/usr/lib/python3.11/queue.py", 171}}, {}, {}, {}, false};
	}
	add(4730, "alone", Cause::sleep, "clock_nanosleep").resource = Resource{TimerResource{5 * s}};
	add(4711, "uvicorn", Cause::futex, "futex").resource = waits_for(0x1000, {4716, "waits", false});
	add(4716, "waits", Cause::futex, "futex").resource = waits_for(0x2000, {4712, "A", false});
	add(4712, "A", Cause::futex, "futex").resource = waits_for(0x3000, {4713, "B", false});
	ThreadView &b = add(4713, "B", Cause::futex, "futex");
	b.resource = waits_for(0x4000, {4712, "A", false});
	b.stack = Stack{{{"transfer", "/srv/app/bank.py", 30}}, {}, {}, {}, false};
	ThreadView &busy = add(4718, "busy", Cause::cpu, "");
	busy.state = ThreadView::State::running;
	busy.cause.reset();
	busy.syscall.reset();
	busy.holds_gil = true;
	dump.threads[5].moved = true; // alone
	dump.deadlock = std::vector<std::uint32_t>{4712, 4713};
	return dump;
}

Written::Written(TextOptions options) : report(options, [this](std::string_view text) { calls.emplace_back(text); }) {}

std::string Written::text() const {
	std::string all;
	for (const std::string &call : calls) {
		all += call;
	}
	return all;
}

std::vector<std::string> screen(const std::string &output) {
	std::vector<std::string> lines(1);
	std::size_t column = 0;
	for (std::size_t i = 0; i < output.size(); i++) {
		if (output[i] == '\r') {
			column = 0;
		} else if (output[i] == '\n') {
			lines.emplace_back();
			column = 0;
		} else if (output[i] == '\x1b') {
			std::size_t end = i + 1;
			while (end < output.size() && (output[end] < '@' || output[end] == '[')) {
				end++;
			}
			if (output[end] == 'K') {
				lines.back().erase(column);
			}
			i = end;
		} else {
			lines.back().resize(column);
			lines.back() += output[i];
			column++;
		}
	}
	return lines;
}

} // namespace loopsnoop::output::examples

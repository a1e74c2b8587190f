// SPDX-License-Identifier: Apache-2.0
#include "output/text.h"

#include "catch.h"
#include "examples.h"

using namespace loopsnoop;
using namespace loopsnoop::output;
using namespace loopsnoop::output::examples;

namespace {

constexpr const char *head = "loopsnoop 0.1.0: stalls of 100 ms or more, 2026-11-22 14:03:20 on web1, Linux 6.18.5\n"
                             "following uvicorn (pid 4711): CPython 3.11.2, loop on epoll_wait of fd 6\n";
constexpr const char *block =
    "14:03:21.500  blocked 320 ms waiting on a socket: tcp 127.0.0.1:5432 of postgres (pid 812), in audit_middleware "
    "(/srv/app/gateway/audit.py:57)\n"
    "  socket 301 ms ×3, cpu 15 ms, runqueue 4.0 ms\n"
    "  socket 301 ms in 3 waits, poll() on tcp 127.0.0.1:5432 of postgres (pid 812)\n"
    "      do_commit         /usr/lib/python3/dist-packages/sqlalchemy/default.py:692\n"
    "      … 2 library frames\n"
    "      Session.commit    /usr/lib/python3/dist-packages/sqlalchemy/session.py:1969\n"
    "    > audit_middleware  /srv/app/gateway/audit.py:57\n"
    "      … 2 library frames\n"
    "      native: __poll (libc.so.6) < pqSocketPoll < pqWait (libpq.so.5.15) < …\n"
    "      kernel: poll_schedule_timeout < do_sys_poll < __x64_sys_poll\n";

// A lock held by a thread that writes to a full pipe; as it goes on.
Stall hang(std::uint64_t age_ns, bool ongoing) {
	Stall stall = database_stall(9, begin + 10 * s, age_ns);
	stall.ongoing = ongoing;
	stall.cause = Cause::futex;
	stall.breakdown = {};
	part_of(stall.breakdown, Cause::futex) = {age_ns, 1};
	stall.culprit = SourceFrame{"checkout", "/srv/app/shop/cart.py", 88};
	stall.waits.resize(1);
	stall.waits[0] = Wait{};
	stall.waits[0].cause = Cause::futex;
	stall.waits[0].syscall = "futex";
	stall.waits[0].duration_ns = age_ns;
	stall.waits[0].count = 1;
	stall.waits[0].ongoing = ongoing;
	stall.waits[0].resource = Resource{FutexResource{0x7f11, LockKind::python_lock, Holder{4715, "worker", true}}};
	ThreadView worker;
	worker.tid = 4715;
	worker.thread = "worker\x1b[2J";
	worker.waited_ns = age_ns;
	worker.syscall = "write";
	worker.resource = Resource{PipeResource{1, std::nullopt, Peer{980, "fluentd"}}};
	worker.holds_gil = true;
	worker.stack =
	    Stack{{{"emit", "/usr/lib/python3.11/logging/__init__.py", 1100}, {"job", "/srv/app/jobs.py", 9}}, {}, {}, {}, false};
	stall.threads = std::vector<ThreadView>{worker};
	return stall;
}

std::size_t times(const std::string &text, std::string_view what) {
	std::size_t count = 0;
	for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
		count++;
	}
	return count;
}

} // namespace

TEST_CASE("a session with a stall, in plain text") {
	Written out;
	out.report.write(session());
	out.report.write(loop());
	out.report.write(database_stall(1, begin + 1500 * ms, 320 * ms));
	out.report.write(session_summary(1));
	out.report.finish();
	out.report.finish();
	CHECK(out.text() == std::string(head) + block +
	                        "\n"
	                        "1 stall of 100 ms or more in 60 s: 320 ms blocked, longest 320 ms\n"
	                        "\n"
	                        "  cause   stalls   total  longest  of the time\n"
	                        "  socket       1  320 ms   320 ms        0.5 %\n"
	                        "\n"
	                        "  where                                            cause   on                                    "
	                        "stalls   total  longest  "
	                        "of the time\n"
	                        "  audit_middleware (/srv/app/gateway/audit.py:57)  socket  127.0.0.1:5432 of postgres (pid 812)     "
	                        "  1  301 ms   301 ms  "
	                        "      0.5 %\n"
	                        "\n"
	                        "  loop pid 4711 tid 4711: 12,345 iterations, 25 % busy, 75 % idle, longest 320 ms\n");
}

TEST_CASE("the shares of several loops are of the time of all") {
	Written out;
	out.report.write(session());
	out.report.write(loop());
	out.report.write(database_stall(1, begin + 1500 * ms, 320 * ms));
	SessionSummary two = session_summary(1);
	two.loops.push_back(two.loops.front());
	out.report.write(two);
	out.report.finish();
	CHECK(out.text().find("longest  of all loops' time\n  socket       1  320 ms   320 ms               0.3 %\n") !=
	      std::string::npos);
	CHECK(out.text().find("of the time") == std::string::npos);
}

TEST_CASE("the same in colour, and no more than that") {
	TextOptions options;
	options.colour = true;
	Written plain;
	Written coloured(options);
	for (Written *out : {&plain, &coloured}) {
		out->report.write(session());
		out->report.write(loop());
		out->report.write(database_stall(1, begin + 1500 * ms, 320 * ms));
		out->report.write(hang(2 * s, true));
		out->report.finish();
	}
	const std::string text = coloured.text();
	CHECK(text.find("\x1b[2m14:03:21.500\x1b[0m  \x1b[1mblocked 320 ms waiting on a socket") != std::string::npos);
	CHECK(text.find("  \x1b[33msocket\x1b[0m 301 ms in 3 waits") != std::string::npos);
	CHECK(text.find("\x1b[1;31mblocked 2.00 s (still)") != std::string::npos);
	CHECK(screen(text) == screen(plain.text()));
	CHECK(plain.text().find('\x1b') == std::string::npos);
}

TEST_CASE("quiet is one line a stall, verbose is every frame") {
	TextOptions options;
	options.detail = Detail::headlines;
	Written quiet(options);
	options.detail = Detail::everything;
	Written verbose(options);
	for (Written *out : {&quiet, &verbose}) {
		out->report.write(full_stall());
	}
	CHECK(times(quiet.text(), "\n") == 1);
	CHECK(verbose.text().find("Connection._commit_impl") != std::string::npos);
	CHECK(verbose.text().find("schedule_hrtimeout_range_clock") != std::string::npos);
	CHECK(verbose.text().find("woken by postgres (pid 812, thread writer tid 813)") != std::string::npos);
	CHECK(verbose.text().find("sock_def_readable") != std::string::npos);
	CHECK(verbose.text().find("deadlock: 4711 (uvicorn) → 4715 (worker) → 4711") != std::string::npos);
	CHECK(verbose.text().find("advice: commit in a thread") != std::string::npos);
}

TEST_CASE("a quiet session says plainly that there was nothing") {
	Written out;
	out.report.write(session());
	out.report.write(loop());
	out.report.write(session_summary(0));
	out.report.finish();
	CHECK(out.text() == std::string(head) +
	                        "\nno stall of 100 ms or more in 60 s (12,345 iterations)\n"
	                        "  loop pid 4711 tid 4711: 12,345 iterations, 25 % busy, 75 % idle, longest 320 ms\n");
}

TEST_CASE("what of a process that was named is not followed is shown first") {
	Written out;
	SessionStart start = session();
	start.not_followed = {{4711, "gunicorn", {4712}}, {812, "nginx", {813, 814, 815, 816}}};
	out.report.write(start);
	CHECK(
	    out.text() ==
	    "loopsnoop 0.1.0: stalls of 100 ms or more, 2026-11-22 14:03:20 on web1, Linux 6.18.5\n"
	    "  not followed: a child of gunicorn (pid 4711) with an event queue of its own (pid 4712); --children follows it, too\n"
	    "  not followed: 4 children of nginx (pid 812) with event queues of their own (pid 813, 814, 815, …); --children follows "
	    "them, too\n");
}

TEST_CASE("who serves for a master that was named is said, and followed") {
	Written out;
	SessionStart start = session();
	start.workers = {{4711, "gunicorn", {4712}}, {812, "nginx", {813, 814}}};
	out.report.write(start);
	CHECK(out.text() ==
	      "loopsnoop 0.1.0: stalls of 100 ms or more, 2026-11-22 14:03:20 on web1, Linux 6.18.5\n"
	      "  gunicorn (pid 4711) has its work done by a process below it (pid 4712): followed, too, as with --children\n"
	      "  nginx (pid 812) has its work done by 2 processes below it (pid 813, 814): followed, too, as with --children\n");
}

TEST_CASE("losses that are not zero are put into words, and so is a process without a loop") {
	Written out;
	out.report.write(session());
	SessionSummary end;
	end.duration_ns = 5 * s;
	end.lost.at(0) = 1234;
	out.report.write(end);
	out.report.finish();
	CHECK(out.text().ends_with("no stall of 100 ms or more in 5.00 s (0 iterations)\n"
	                           "  no event loop was seen\n"
	                           "  lost: 1,234 records that found the ring buffer full\n"));
}

TEST_CASE("a hang is shown at once, then a line a doubling, then its end") {
	Written out;
	out.report.write(session());
	out.report.write(loop());
	out.report.write(hang(1 * s, true));
	out.report.write(hang(2 * s, true));
	out.report.write(hang(4 * s, true));
	out.report.write(hang(5310 * ms, false));
	CHECK(out.text() ==
	      std::string(head) +
	          "14:03:30.000  blocked 1.00 s (still) waiting for a lock: Python lock 0x7f11, probably held by "
	          "worker (tid 4715), in checkout "
	          "(/srv/app/shop/cart.py:88)\n"
	          "  futex 1.00 s so far, futex() on Python lock 0x7f11, probably held by worker (tid 4715)\n"
	          "      no stack was captured\n"
	          "  who holds it up\n"
	          "    uvicorn (tid 4711) waits for a Python lock (0x7f11) probably held by\n"
	          "      worker\\x1b[2J (tid 4715) at jobs.py:9, which is in write() to a full pipe read by fluentd (pid 980)\n"
	          "  other threads of the process\n"
	          "    4715 worker\\x1b[2J: sleeping for 1.00 s in write() on pipe fd 1, fluentd (pid 980) at its other "
	          "end, holds the GIL, at job "
	          "(/srv/app/jobs.py:9)\n"
	          "14:03:32.000  still blocked, 2.00 s since 14:03:30.000, in checkout (/srv/app/shop/cart.py:88)\n"
	          "14:03:34.000  still blocked, 4.00 s since 14:03:30.000, in checkout (/srv/app/shop/cart.py:88)\n"
	          "14:03:35.310  runs again: was blocked 5.31 s since 14:03:30.000, in checkout "
	          "(/srv/app/shop/cart.py:88): futex 5.31 s\n");
}

TEST_CASE("a hang that goes on elsewhere is shown in full again") {
	Written out;
	out.report.write(hang(1 * s, true));
	Stall moved = hang(2 * s, true);
	moved.culprit->line = 99;
	out.report.write(moved);
	CHECK(times(out.text(), "blocked 2.00 s (still)") == 1);
	CHECK(times(out.text(), "other threads of the process") == 2);
}

TEST_CASE("a hang of a kind seen before is shown in full, and not counted as a repeat as well") {
	Written out;
	out.report.write(session());
	Stall earlier = hang(200 * ms, false);
	earlier.id = 1;
	out.report.write(earlier);
	out.report.write(hang(1 * s, true));
	out.report.write(hang(2 * s, false));
	out.report.finish();
	CHECK(times(out.text(), "blocked 1.00 s (still)") == 1);
	CHECK(out.text().find("again,") == std::string::npos);
	CHECK(out.text().find("2 stalls of 100 ms or more") != std::string::npos);
}

TEST_CASE("how a stall ended otherwise is said") {
	Written out;
	for (const Truncated how : {Truncated::session_end, Truncated::target_exit, Truncated::before_attach, Truncated::end_lost}) {
		out.report.write(hang(1 * s, true));
		Stall end = hang(3 * s, false);
		end.truncated = how;
		out.report.write(end);
	}
	CHECK(times(out.text(), "not over when loopsnoop stopped: blocked 3.00 s since") == 1);
	CHECK(times(out.text(), "ended with the process: was blocked 3.00 s since") == 1);
	CHECK(times(out.text(), "runs again: was blocked at least 3.00 s since") == 2);
	Stall goes_on = hang(3 * s, false);
	goes_on.truncated = Truncated::before_attach;
	goes_on.goes_on = true;
	out.report.write(hang(1 * s, true));
	out.report.write(goes_on);
	CHECK(times(out.text(), "not over when loopsnoop stopped: blocked at least 3.00 s since") == 1);
	Stall begun_before = hang(2 * s, false);
	begun_before.truncated = Truncated::before_attach;
	begun_before.culprit->line = 1;
	out.report.write(begun_before);
	CHECK(times(out.text(), "  began before loopsnoop attached: the times are lower bounds\n") == 1);
}

TEST_CASE("repeats are folded, flushed in time and at the end, and all are in the tables") {
	Written out;
	out.report.write(session());
	for (std::uint64_t i = 0; i < 39; i++) {
		out.report.write(database_stall(i, begin + (i * 500 * ms), (120 + (i * 5)) * ms));
	}
	out.report.write(session_summary(39));
	out.report.finish();
	const std::string text = out.text();
	CHECK(times(text, "do_commit") == 1);
	CHECK(times(text, " each, ") == 4); // 19 s in windows of 5 s
	CHECK(times(text, "×11 in 5.17 s, 125–175 ms each, 1.65 s in all: audit_middleware") == 1);
	CHECK(times(text, "39 stalls of 100 ms or more in 60 s: 8.38 s blocked, longest 310 ms") == 1);
}

TEST_CASE("several loops are shown apart") {
	Written out;
	LoopFound second = loop();
	second.tid = 4720;
	second.thread = "worker-1";
	second.runtime = {RuntimeKind::native, {}};
	second.poll.reset();
	out.report.write(loop());
	out.report.write(second);
	Stall stall = database_stall(1, begin, 320 * ms);
	stall.tid = 4720;
	stall.thread = "worker-1";
	out.report.write(stall);
	CHECK(out.text().find("following uvicorn (pid 4711), thread worker-1 (tid 4720): native code, not seen polling yet\n") !=
	      std::string::npos);
	CHECK(out.text().find("  thread worker-1 (tid 4720) blocked 320 ms") != std::string::npos);
	LoopFound another = loop();
	another.pid = another.tid = 4800;
	out.report.write(another);
	stall.id = 2;
	stall.duration_ns = 700 * ms;
	stall.culprit->line = 99;
	out.report.write(stall);
	CHECK(out.text().find("  uvicorn (pid 4711, thread worker-1 tid 4720) blocked ") != std::string::npos);
}

TEST_CASE("a program whose lines cannot be read says so, and one of Go once, for all its threads") {
	Written out;
	out.report.write(session());
	LoopFound perl = loop();
	perl.runtime = {RuntimeKind::native, {}, "Perl"};
	out.report.write(perl);
	CHECK(times(out.text(), "following uvicorn (pid 4711): Perl, whose own lines cannot be read, loop on ") == 1);
	LoopFound go = loop();
	go.pid = 5000;
	go.runtime = {RuntimeKind::native, {}, std::string(go_language)};
	for (const std::uint32_t tid : {5000U, 5003U, 5004U}) {
		go.tid = tid;
		out.report.write(go);
	}
	CHECK(times(out.text(), "Go, whose threads are no loops") == 1);
	SessionSummary summary;
	summary.duration_ns = 60 * s;
	summary.loops = {LoopTotals{4711, 4711, 5, 1, 1}, LoopTotals{5000, 5003, 5, 1, 1}};
	out.report.write(summary);
	out.report.finish();
	CHECK(times(out.text(), "  loop of uvicorn pid 4711") == 1);
	CHECK(times(out.text(), "pid 5000 tid") == 0);
}

TEST_CASE("life of processes is a line each") {
	Written out;
	out.report.write(session());
	out.report.write(ProcessFork{4711, begin + s, 4900});
	out.report.write(ProcessExec{4900, begin + s, "git\n"});
	out.report.write(ProcessExit{4900, begin + 2 * s, 128, {}});
	out.report.write(ProcessExit{4711, begin + 2 * s, {}, "SIGKILL"});
	out.report.write(ProcessExit{4712, begin + 2 * s, {}, {}});
	CHECK(out.text().ends_with("14:03:21.000  pid 4711 forked pid 4900\n"
	                           "14:03:21.000  pid 4900 became git\\x0a (exec)\n"
	                           "14:03:22.000  pid 4900 exited with status 128\n"
	                           "14:03:22.000  pid 4711 was killed by SIGKILL\n"
	                           "14:03:22.000  pid 4712 is gone\n"));
}

TEST_CASE("a recording that breaks off still ends in tables, its running stall in them") {
	Written out;
	out.report.write(session());
	out.report.write(hang(4 * s, true));
	out.report.finish();
	CHECK(out.text().find("the recording breaks off here: it has no summary\n"
	                      "1 stall of 100 ms or more in 14.0 s: 4.00 s blocked, longest 4.00 s\n") != std::string::npos);
	Written nothing;
	nothing.report.finish();
	CHECK(nothing.text().empty());
}

TEST_CASE("hostile records cannot drive the terminal, nor hold memory") {
	Written out;
	const std::string hostile = "\x1b]52;c;cm0gLXJm\x07\r\n\xff" + std::string(1'000'000, 'x');
	SessionStart start = session();
	start.host = start.kernel = start.version = start.started_at = hostile;
	start.missing = {hostile};
	start.not_followed = {{1, hostile, std::vector<std::uint32_t>(100'000, 2)}};
	LoopFound found = loop();
	found.comm = found.thread = hostile;
	found.tid = 5;
	found.runtime.version = hostile;
	found.poll->syscall = hostile;
	out.report.write(start);
	out.report.write(found);
	Stall stall = full_stall();
	stall.comm = stall.thread = stall.started_at = stall.summary = hostile;
	stall.advice = hostile;
	stall.culprit = SourceFrame{hostile, hostile, 3};
	Wait &wait = stall.waits[0];
	wait.syscall = hostile;
	wait.resource = Resource{SocketResource{1, hostile, hostile, hostile, hostile, hostile, Peer{1, hostile}}};
	wait.stack->python[0] = {hostile, hostile, 1};
	wait.stack->native[0] = {hostile, hostile, 1, hostile, 1};
	wait.stack->kernel[0] = {hostile, 1};
	wait.waker->comm = wait.waker->thread = hostile;
	stall.threads->at(0).thread = hostile;
	stall.threads->at(0).syscall = hostile;
	stall.threads->at(0).resource = Resource{FileResource{1, hostile}};
	stall.start_ns = ~0ULL;
	out.report.write(stall);
	out.report.write(ProcessExec{1, ~0ULL, hostile});
	out.report.write(ProcessExit{1, 0, {}, hostile});
	out.report.note(hostile);
	out.report.finish();
	const std::string text = out.text();
	CHECK(text.size() < 60'000);
	for (const char c : text) {
		REQUIRE((c == '\n' || static_cast<unsigned char>(c) >= 0x20));
	}
}

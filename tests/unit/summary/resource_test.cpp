// SPDX-License-Identifier: Apache-2.0
#include "summary/resource.h"

#include "analysis/culprit.h"
#include "catch.h"
#include "examples.h"
#include "summary/number.h"
#include "summary/place.h"
#include "summary/stall_summary.h"

using namespace loopsnoop;
using namespace loopsnoop::summary;
using namespace loopsnoop::output;
using namespace loopsnoop::output::examples;

TEST_CASE("resources are put into words") {
	const auto words = [](auto resource) { return format_resource(Resource{std::move(resource)}); };
	CHECK(words(FileResource{3, "/var/log/app.log"}) == "/var/log/app.log");
	CHECK(words(FileResource{3, {}}) == "fd 3");
	CHECK(words(FileResource{}) == "a file");
	CHECK(words(SocketResource{9, "tcp", "127.0.0.1:1", "127.0.0.1:5432", {}, "ESTABLISHED", Peer{812, "postgres"}}) ==
	      "tcp 127.0.0.1:5432 of postgres (pid 812)");
	CHECK(words(SocketResource{9, "tcp", "10.0.0.1:1", "10.9.9.9:443", {}, "SYN_SENT", {}}) == "tcp 10.9.9.9:443, SYN_SENT");
	CHECK(words(SocketResource{9, "unix", {}, {}, "/run/db.sock", {}, {}}) == "unix socket /run/db.sock");
	CHECK(words(SocketResource{9, "udp", "0.0.0.0:53", {}, {}, {}, {}}) == "udp socket at 0.0.0.0:53");
	CHECK(words(SocketResource{9, "netlink", {}, {}, {}, {}, {}}) == "netlink socket fd 9");
	CHECK(words(SocketResource{}) == "socket");
	CHECK(words(PipeResource{1, "/run/x.fifo", {}}) == "FIFO /run/x.fifo");
	CHECK(words(PipeResource{1, {}, Peer{980, "fluentd"}}) == "pipe fd 1, fluentd (pid 980) at its other end");
	CHECK(words(PipeResource{}) == "a pipe");
	CHECK(words(FutexResource{0x7f, LockKind::unknown, {}}) == "lock 0x7f");
	CHECK(words(FutexResource{0x7f, LockKind::python_lock, {}, "import lock of a\n"}) == "import lock of a\\x0a 0x7f");
	CHECK(words(FutexResource{0x7f, LockKind::pthread_mutex, {}, "robust pthread mutex"}) == "mutex 0x7f");
	CHECK(words(FutexResource{0x7f, LockKind::gil, Holder{5, "w", false}}) == "the GIL, held by w (tid 5)");
	CHECK(words(FutexResource{0x7f, LockKind::pthread_mutex, Holder{5, "w\n", true}}) ==
	      "mutex 0x7f, probably held by w\\x0a (tid 5)");
	CHECK(words(TimerResource{250 * ms}) == "requested 250 ms");
	CHECK(words(ProcessResource{4900, "git"}) == "child git (pid 4900)");
	CHECK(words(ProcessResource{}) == "any child");
	FdsResource several;
	several.fds.assign(5, Resource{FileResource{3, {}}});
	CHECK(words(several) == "5 descriptors: fd 3; fd 3; fd 3; …");
}

TEST_CASE("calls read as English") {
	CHECK(format_call("poll", Resource{FileResource{3, {}}}) == "poll() on fd 3");
	CHECK(format_call("wait4", Resource{ProcessResource{4, "git"}}) == "wait4() for child git (pid 4)");
	CHECK(format_call("clock_nanosleep", Resource{TimerResource{s}}) == "clock_nanosleep(), requested 1.00 s");
	CHECK(format_call({}, Resource{FileResource{3, {}}}) == "fd 3");
	CHECK(format_call("fsync", {}) == "fsync()");
	CHECK(format_call({}, {}).empty());
}

TEST_CASE("numbers are written for people") {
	CHECK(thousands(0) == "0");
	CHECK(thousands(999) == "999");
	CHECK(thousands(1234567) == "1,234,567");
	CHECK(percent(1, 0) == "-");
	CHECK(percent(57, 1000) == "5.7 %");
	CHECK(percent(37, 100) == "37 %");
	CHECK(plural(1, "stall") == "1 stall");
	CHECK(plural(0, "stall") == "0 stalls");
	CHECK(format_range(50 * ms, 320 * ms) == "50–320 ms");
	CHECK(format_range(320 * ms, 320 * ms) == "320 ms");
	CHECK(format_range(320 * ms, 2 * s) == "320 ms–2.00 s");
	CHECK(format_range(60 * s, 185 * s) == "60 s–3 min 05 s");
	CHECK(format_range(185 * s, 245 * s) == "3 min 05 s–4 min 05 s");
}

TEST_CASE("the breakdown is shown with most time first") {
	CHECK(format_breakdown(database_stall(1, begin, 320 * ms).breakdown) == "socket 301 ms ×3, cpu 15 ms, runqueue 4.0 ms");
	CHECK(format_breakdown(Breakdown{}).empty());
}

TEST_CASE("a headline has duration, cause, resource and line") {
	Stall stall = database_stall(1, begin, 320 * ms);
	const std::string made = "blocked 320 ms waiting on a socket: tcp 127.0.0.1:5432 of postgres (pid 812), in audit_middleware "
	                         "(/srv/app/gateway/audit.py:57)";
	CHECK(format_headline(stall).text == made);
	stall.summary = "blocked 320 ms on PostgreSQL in audit_middleware at gateway/audit.py:57";
	CHECK(format_headline(stall).text == stall.summary);
	stall.summary = "waits for PostgreSQL";
	CHECK(format_headline(stall).text ==
	      "blocked 320 ms: waits for PostgreSQL, in audit_middleware (/srv/app/gateway/audit.py:57)");
	stall.ongoing = true;
	stall.summary = "";
	stall.culprit.reset();
	stall.waits.clear();
	CHECK(format_headline(stall).text == "blocked 320 ms (still) waiting on a socket");
}

TEST_CASE("the place falls back from culprit to what the stack knows") {
	Stall stall = database_stall(1, begin, 320 * ms);
	stall.culprit.reset();
	CHECK(format_where(stall) == "audit_middleware (/srv/app/gateway/audit.py:57)");
	stall.waits[0].stack->python.resize(2);
	CHECK(format_where(stall) == "do_commit (/usr/lib/python3/dist-packages/sqlalchemy/default.py:692)");
	stall.waits[0].stack->python.clear();
	CHECK(format_where(stall) == "__poll (libc.so.6)");
	stall.waits[0].stack->native[1] = {"serve", "/srv/app/server", 0x10, "/src/server.c", 12};
	CHECK(format_where(stall) == "serve (/src/server.c:12)");
	stall.waits[0].stack->native = {{std::nullopt, std::nullopt, 0x7f00, std::nullopt, std::nullopt}};
	CHECK(format_where(stall) == "0x7f00");
	stall.waits.clear();
	CHECK(format_where(stall).empty());
}

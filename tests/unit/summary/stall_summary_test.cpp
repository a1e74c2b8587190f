// SPDX-License-Identifier: Apache-2.0
#include "summary/judged.h"
#include "summary/stall_summary.h"

#include "analysis/stalls.h"
#include "catch.h"
#include "summary/place.h"
#include "summary/wait.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::summary;
using namespace loopsnoop::analysis_test;

namespace {

Stall stall_with(Wait one) {
	Stall stall;
	stall.duration_ns = one.duration_ns;
	part_of(stall.breakdown, one.cause) = {one.duration_ns, 1};
	stall.waits.push_back(std::move(one));
	return stall;
}

} // namespace

TEST_CASE("a socket wait names both the end and its process, and the line") {
	Wait one = wait(Cause::socket, "recvfrom", 0, 320'000'000, {library(), application(57)});
	SocketResource socket;
	socket.protocol = "tcp";
	socket.remote = "127.0.0.1:5432";
	socket.state = "ESTABLISHED";
	socket.peer = Peer{812, "postgres"};
	one.resource = Resource{socket};
	Stall stall = stall_with(one);
	judge_and_summarize(stall);
	CHECK(stall.cause == Cause::socket);
	CHECK(stall.summary ==
	      "blocked 320 ms: waiting for an answer from 127.0.0.1:5432 of postgres (pid 812) in handler (/srv/app/main.py:57)");
	CHECK_FALSE(stall.advice.has_value());
}

TEST_CASE("hundreds of page faults are shown as such, whatever each of them waited for") {
	Wait fault = wait(Cause::page_fault, "", 1, 200'000'000, {application(14)});
	fault.resource = Resource{FileResource{std::nullopt, "/srv/weights"}};
	Stall stall = stall_with(std::move(fault));
	stall.duration_ns = 805'000'000;
	stall.breakdown = {};
	part_of(stall.breakdown, Cause::runqueue) = {426'000'000, 1830};
	part_of(stall.breakdown, Cause::cpu) = {232'000'000, 0};
	part_of(stall.breakdown, Cause::page_fault) = {147'000'000, 1812};
	stall.limit = CgroupLimit{"/shop", std::nullopt, std::nullopt, 40ULL << 20U};
	judge_and_summarize(stall);
	CHECK(stall.cause == Cause::runqueue);
	CHECK(
	    stall.summary.starts_with("blocked 805 ms: 1,812 page faults on /srv/weights (its cgroup /shop has a memory limit of 40 "
	                              "MiB)"));
	SECTION("not where something else made it wait for a CPU") {
		part_of(stall.breakdown, Cause::runqueue).count = 4000;
		judge_and_summarize(stall);
		CHECK(stall.summary.find("given no CPU") != std::string::npos);
	}
}

TEST_CASE("the task whose step it was, by name") {
	Stall stall = stall_with(wait(Cause::file_io, "fsync", 0, 320'000'000, {library(), application(57)}));
	stall.task = StallTask{0x7f00, "orders-7", "take_order"};
	judge_and_summarize(stall);
	CHECK(stall.summary.ends_with(" in handler (/srv/app/main.py:57), in task orders-7"));
	stall.waits.front().stack->python.pop_back();
	stall.task->name = "a\n\x1b[31m";
	judge_and_summarize(stall);
	CHECK(stall.summary.find(", in task") == std::string::npos);
	CHECK(stall.summary.find(" in task a") != std::string::npos);
	CHECK(stall.summary.find('\n') == std::string::npos);
}

TEST_CASE("a connection that is not answered says so") {
	Wait one = wait(Cause::socket, "connect", 0, 41'000'000'000, {application(3)});
	SocketResource socket;
	socket.protocol = "tcp";
	socket.remote = "10.0.0.9:80";
	socket.state = "SYN_SENT";
	one.resource = Resource{socket};
	Stall stall = stall_with(one);
	stall.ongoing = true;
	judge_and_summarize(stall);
	CHECK(stall.summary.starts_with("blocked 41.0 s (still): connecting to 10.0.0.9:80, which does not answer (SYN_SENT)"));
}

TEST_CASE("names of the target cannot break the line") {
	Wait one = wait(Cause::file_io, "fsync", 0, 200'000'000, {frame("a\nb", "/srv/\x1b[31m.py", 1)});
	one.resource = Resource{FileResource{3, "/tmp/x\ny"}};
	Stall stall = stall_with(one);
	judge_and_summarize(stall);
	CHECK(stall.summary.find('\n') == std::string::npos);
	CHECK(stall.summary.find('\x1b') == std::string::npos);
	CHECK(stall.summary.find("/tmp/x\\x0ay") != std::string::npos);
}

TEST_CASE("each resource has its words") {
	const auto words = [](Cause cause, const char *call, Resource resource) {
		Wait one = wait(cause, call, 0, 1, {});
		one.resource = std::move(resource);
		return format_wait(one);
	};
	CHECK(words(Cause::pipe, "write", {PipeResource{1, "/run/x.fifo", Peer{980, "fluentd"}}}) ==
	      "writing to FIFO /run/x.fifo read by fluentd (pid 980), which is full");
	CHECK(words(Cause::file_io, "flock", {FileResource{4, "/var/lock/a"}}) == "waiting for a lock on /var/lock/a");
	CHECK(words(Cause::sleep, "clock_nanosleep", {TimerResource{250'000'000}}) == "sleeping (250 ms asked for)");
	CHECK(words(Cause::child, "wait4", {ProcessResource{4900, "git"}}) == "waiting for child process git (pid 4900)");
	CHECK(words(Cause::futex, "futex", {FutexResource{0x7f10, LockKind::unknown, std::nullopt}}) ==
	      "waiting for a lock (futex 0x7f10)");
	CHECK(words(Cause::stopped, "read", {FileResource{4, "/x"}}) == "stopped by a signal, a debugger or the freezer");
}

TEST_CASE("a stall of nothing known still has a sentence") {
	Stall stall;
	stall.duration_ns = 150'000'000;
	part_of(stall.breakdown, Cause::runqueue) = {150'000'000, 3};
	judge_and_summarize(stall);
	CHECK(stall.summary == "blocked 150 ms: ready to run, but given no CPU");
	CHECK_FALSE(stall.culprit.has_value());
}

TEST_CASE("a page fault names the mapped file where that is known") {
	Stall stall = stall_with(wait(Cause::page_fault, "", 1, 200'000'000, {application(7)}));
	stall.waits.front().syscall.reset();
	judge_and_summarize(stall);
	CHECK(stall.summary.find("waiting for memory to be loaded (page fault)") != std::string::npos);
	stall.waits.front().resource = Resource{FileResource{std::nullopt, "/srv/index.bin"}};
	judge_and_summarize(stall);
	CHECK(stall.summary.find("waiting for a mapped part of /srv/index.bin to be loaded (page fault)") != std::string::npos);
}

TEST_CASE("a CPU limit is named where it is a good part of the stall") {
	Stall stall;
	stall.duration_ns = 300'000'000;
	part_of(stall.breakdown, Cause::runqueue) = {200'000'000, 3};
	part_of(stall.breakdown, Cause::cpu) = {100'000'000, 1};
	judge_and_summarize(stall);
	CHECK(stall.summary == "blocked 300 ms: ready to run, but given no CPU");
	stall.throttled_ns = 180'000'000;
	judge_and_summarize(stall);
	CHECK(stall.summary == "blocked 300 ms: ready to run, but given no CPU (its cgroup was throttled for 180 ms)");
	part_of(stall.breakdown, Cause::cpu).ns = 210'000'000;
	judge_and_summarize(stall);
	CHECK(stall.summary == "blocked 300 ms: computing (its cgroup was throttled for 180 ms)");
	stall.throttled_ns = 20'000'000;
	judge_and_summarize(stall);
	CHECK(stall.summary == "blocked 300 ms: computing");
}

TEST_CASE("computing in the kernel names the system call") {
	Stall stall;
	stall.duration_ns = 300'000'000;
	part_of(stall.breakdown, Cause::cpu) = {300'000'000, 1};
	Stack inside;
	inside.python = {application(8)};
	inside.kernel = {{"chacha_block_generic", 1}, {"get_random_bytes_user", 2}, {"__x64_sys_getrandom", 3}};
	Stack outside;
	outside.python = {application(8)};
	outside.kernel = {{"finish_task_switch", 1}, {"asm_sysvec_reschedule_ipi", 3}};
	stall.cpu = {{40, 200'000'000, inside}, {20, 100'000'000, outside}};
	judge_and_summarize(stall);
	CHECK(stall.summary == "blocked 300 ms: computing in the kernel, in getrandom() in handler (/srv/app/main.py:8)");
	std::swap(stall.cpu[0].ns, stall.cpu[1].ns);
	judge_and_summarize(stall);
	CHECK(stall.summary == "blocked 300 ms: computing in handler (/srv/app/main.py:8)");
}

TEST_CASE("who had the CPU that a loop waited for") {
	Stall stall;
	stall.pid = stall.tid = 5;
	stall.duration_ns = 200'000'000;
	part_of(stall.breakdown, Cause::runqueue) = {150'000'000, 3};
	part_of(stall.breakdown, Cause::cpu) = {50'000'000, 1};
	stall.runner = Runner{77, 77, "python3", "python3", 30'000'000, "export.py"};
	judge_and_summarize(stall);
	CHECK(stall.summary == "blocked 200 ms: ready to run, but given no CPU (export.py (pid 77) had it)");
	stall.runner->tid = 79;
	stall.runner->thread = "packer\n";
	judge_and_summarize(stall);
	CHECK(stall.summary.find("(export.py (pid 77, thread packer") != std::string::npos);
	CHECK(stall.summary.find('\n') == std::string::npos);
	stall.runner->pid = 5;
	judge_and_summarize(stall);
	CHECK(stall.summary.find("(its own thread packer") != std::string::npos);
	stall.throttled_ns = 140'000'000; // then nobody had to
	judge_and_summarize(stall);
	CHECK(stall.summary.find("had it") == std::string::npos);
}

TEST_CASE("a full queue, and whether anybody takes from it") {
	Wait one =
	    wait(Cause::futex, "futex", 0, 2'000'000'000, {frame("put", "/usr/lib/python3.11/queue.py", 140), application(57)});
	one.ongoing = true;
	FutexResource lock{0x7f10, LockKind::python_lock, std::nullopt, "queue.Queue"};
	lock.full = QueueFill{100, 100};
	one.resource = Resource{lock};
	Stall stall = stall_with(one);
	stall.ongoing = true;
	ThreadView other;
	other.tid = 6;
	other.syscall = "epoll_wait";
	other.cause = Cause::poll;
	stall.threads = {other};
	judge_and_summarize(stall);
	CHECK(stall.summary ==
	      "blocked 2.00 s (still): waiting for a queue.Queue that is full (100 of 100) in handler (/srv/app/main.py:57); no "
	      "thread takes from it");
	stall.threads->front().syscall = "recvfrom"; // it may be about an item of the queue
	judge_and_summarize(stall);
	CHECK(stall.summary.find("takes from it") == std::string::npos);
}

TEST_CASE("a deadlock is what a stall is about, whatever took longer before") {
	Wait sleeps = wait(Cause::sleep, "clock_nanosleep", 0, 300'000'000, {application(12)});
	Stall stall = stall_with(sleeps);
	Wait locks = wait(Cause::futex, "futex", 300'000'000, 200'000'000, {application(40)});
	locks.ongoing = true;
	locks.resource = Resource{FutexResource{0x7f10, LockKind::pthread_mutex, Holder{6, "worker", false}}};
	stall.waits.push_back(locks);
	stall.duration_ns = 500'000'000;
	part_of(stall.breakdown, Cause::futex) = {200'000'000, 1};
	stall.ongoing = true;
	stall.pid = stall.tid = 5;
	ThreadView other;
	other.tid = 6;
	other.thread = "worker";
	other.resource = Resource{FutexResource{0x7f40, LockKind::pthread_mutex, Holder{5, "main", false}}};
	stall.threads = {other};
	judge_and_summarize(stall);
	CHECK(stall.culprit->line == 12);
	stall.deadlock = {5, 6};
	judge_and_summarize(stall);
	CHECK(stall.cause == Cause::sleep); // by time
	CHECK(stall.culprit->line == 40);
	CHECK(stall.summary.find("deadlock: ") != std::string::npos);
}

TEST_CASE("a program whose own lines are not read has no place but that") {
	Wait one = wait(Cause::file_io, "flock", 0, 2'000'000'000, {});
	one.stack.emplace().native = {{"flock", "/lib/x86_64-linux-gnu/libc.so.6", 1, "sysdeps/unix/syscall-template.S", 120},
	                              {"Perl_pp_flock", "/usr/bin/perl", 2, {}, {}}};
	Stall stall = stall_with(one);
	judge_and_summarize(stall);
	CHECK_FALSE(stall.culprit);
	CHECK(format_where(stall) == "Perl code, which is not read");
}

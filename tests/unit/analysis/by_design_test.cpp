// SPDX-License-Identifier: Apache-2.0
#include "analysis/by_design.h"

#include <utility>

#include "analysis/stalls.h"
#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::analysis;
using namespace loopsnoop::analysis_test;

namespace {

constexpr std::uint64_t s = 1'000'000'000;
constexpr std::uint64_t threshold = s / 10;

const ProcessShape job{};
const ProcessShape server{true, false, false};
const ProcessShape master{true, true, false};
const ProcessShape go{false, false, true};

// Of a process whose main thread has not polled, asleep for two seconds.
Stall asleep(Wait wait) {
	Stall stall;
	stall.pid = stall.tid = 5;
	stall.duration_ns = 2 * s;
	stall.ongoing = stall.no_loop_yet = true;
	stall.cause = wait.cause;
	part_of(stall.breakdown, wait.cause) = {2 * s, 1};
	wait.ongoing = true;
	stall.waits.push_back(std::move(wait));
	return stall;
}

Wait of(Cause cause, std::string call, std::vector<SourceFrame> python = {}) {
	return wait(cause, std::move(call), 0, 2 * s, std::move(python));
}

Wait native(Cause cause, std::string call, std::vector<std::string> functions) {
	Wait one = of(cause, std::move(call));
	one.stack.emplace();
	for (std::string &function : functions) {
		one.stack->native.push_back({std::move(function), "/lib/x86_64-linux-gnu/libc.so.6", 0, std::nullopt, std::nullopt});
	}
	return one;
}

SourceFrame in(std::string function, const std::string &file) {
	return frame(std::move(function), "/usr/lib/python3.11/" + file, 1);
}

bool designed(const Stall &stall, const ProcessShape &shape) { return waits_by_design(stall, shape, threshold); }

} // namespace

TEST_CASE("who waits for signals, or for somebody to come, keeps nobody waiting") {
	for (const char *call : {"rt_sigsuspend", "pause", "rt_sigtimedwait"}) {
		CHECK(designed(asleep(of(Cause::other, call)), server));
	}
	CHECK(designed(asleep(of(Cause::socket, "accept4")), server));
	CHECK_FALSE(designed(asleep(of(Cause::socket, "connect")), job));
	CHECK_FALSE(designed(asleep(of(Cause::file_io, "flock")), job));
}

TEST_CASE("a shell or a master waits for its children, a server at its start does not") {
	const Stall child = asleep(of(Cause::child, "wait4"));
	CHECK(designed(child, job));
	CHECK(designed(child, master));
	CHECK_FALSE(designed(child, server));
	Stall import = asleep(
	    of(Cause::child, "wait4", {application(3), frame("_call_with_frames_removed", "<frozen importlib._bootstrap>", 241)}));
	CHECK_FALSE(designed(import, job));
	CHECK(designed(asleep(of(Cause::sleep, "clock_nanosleep")), job));
	CHECK_FALSE(designed(asleep(of(Cause::sleep, "clock_nanosleep")), server));
}

TEST_CASE("an idle worker of multiprocessing, concurrent.futures or Celery waits for a job") {
	const std::vector<SourceFrame> bootstrap{in("BaseProcess.run", "multiprocessing/process.py"),
	                                         in("_bootstrap", "multiprocessing/process.py")};
	const auto worker = [&](std::vector<SourceFrame> inner) {
		inner.insert(inner.end(), bootstrap.begin(), bootstrap.end());
		return inner;
	};
	CHECK(designed(
	    asleep(of(Cause::futex, "futex",
	              worker({in("SemLock.__enter__", "multiprocessing/synchronize.py"),
	                      in("SimpleQueue.get", "multiprocessing/queues.py"), in("worker", "multiprocessing/pool.py")}))),
	    server));
	CHECK(designed(
	    asleep(of(Cause::pipe, "read",
	              worker({in("Connection._recv", "multiprocessing/connection.py"), in("Queue.get", "multiprocessing/queues.py"),
	                      in("_process_worker", "concurrent/futures/process.py")}))),
	    server));
	CHECK(designed(asleep(of(Cause::pipe, "read",
	                         {in("_recv", "dist-packages/billiard/connection.py"),
	                          in("Worker.wait_for_job", "dist-packages/billiard/pool.py")})),
	               server));
	// A job is not what a worker waits for.
	CHECK_FALSE(designed(asleep(of(Cause::file_io, "flock", {application(7), in("worker", "multiprocessing/pool.py")})), server));
	CHECK_FALSE(designed(
	    asleep(of(Cause::futex, "futex", {in("Lock.__enter__", "multiprocessing/synchronize.py"), application(7)})), server));
}

TEST_CASE("a supervisor that looks after its workers twice a second is none that is blocked") {
	const std::vector<SourceFrame> waits{in("Condition.wait", "threading.py"), in("Event.wait", "threading.py"),
	                                     in("Multiprocess.run", "dist-packages/uvicorn/supervisors/multiprocess.py")};
	Stall stall = asleep(of(Cause::futex, "futex", waits));
	CHECK(designed(stall, master));
	CHECK_FALSE(designed(stall, server));
	// Seen as it runs for a moment.
	stall.waits.front().ongoing = false;
	CHECK(designed(stall, master));
	stall.duration_ns = 5 * s;
	CHECK_FALSE(designed(stall, master));
	CHECK_FALSE(designed(asleep(of(Cause::stopped, "pause")), job));
}

TEST_CASE("a master that waits for a word of its workers or a signal in select() is none that is blocked") {
	const Stall on_own_pipe =
	    asleep(of(Cause::pipe, "select", {frame("sleep", "/usr/lib/python3/dist-packages/gunicorn/arbiter.py", 357)}));
	CHECK(designed(on_own_pipe, master));
	CHECK_FALSE(designed(on_own_pipe, server));
	CHECK_FALSE(designed(on_own_pipe, job));
	CHECK(designed(asleep(of(Cause::poll, "epoll_wait")), master));
	CHECK_FALSE(designed(asleep(of(Cause::pipe, "read")), master));
}

TEST_CASE("a main thread that has handed over to others waits for their end") {
	CHECK(designed(asleep(native(Cause::futex, "futex",
	                             {"__futex_abstimed_wait_common", "__pthread_clockjoin_ex", "CallJavaMainInNewThread"})),
	               server));
	CHECK_FALSE(
	    designed(asleep(native(Cause::futex, "futex", {"__lll_lock_wait", "pthread_mutex_lock@@GLIBC_2.2.5", "drop"})), job));
	const Stall notified =
	    asleep(native(Cause::futex, "futex", {"__futex_abstimed_wait_common", "pthread_cond_wait@@GLIBC_2.3.2", "main"}));
	CHECK(designed(notified, job));
	CHECK_FALSE(designed(notified, server));
	Stall stall = asleep(native(Cause::futex, "futex", {"pthread_join"}));
	stall.deadlock = {5, 6};
	CHECK_FALSE(designed(stall, job));
}

TEST_CASE("who reads its input waits for whoever writes it") {
	Wait input = of(Cause::pipe, "read");
	input.resource = Resource{PipeResource{0, std::nullopt, std::nullopt}};
	CHECK(designed(asleep(input), job));
	input.resource = Resource{PipeResource{5, "/run/x.fifo", std::nullopt}};
	CHECK_FALSE(designed(asleep(input), job));
	input.resource = Resource{FileResource{0, "/dev/pts/3"}};
	CHECK(designed(asleep(input), job));
	SocketResource socket;
	socket.protocol = "udp";
	input.syscall = "recvfrom";
	input.resource = Resource{socket};
	CHECK(designed(asleep(input), server));
	socket.protocol = "tcp";
	socket.remote = "10.0.0.9:5432";
	input.resource = Resource{socket};
	CHECK_FALSE(designed(asleep(input), job));
}

TEST_CASE("threads of Go's scheduler wait for work, unless they are in a call of a program's") {
	Stall stall = asleep(
	    native(Cause::futex, "futex",
	           {"runtime.futex.abi0", "runtime.futexsleep", "runtime.notesleep", "runtime.stopm", "runtime.findRunnable"}));
	CHECK(designed(stall, go));
	stall.no_loop_yet = false;
	CHECK(designed(stall, go));
	CHECK_FALSE(designed(stall, server));
	Stall flock =
	    asleep(native(Cause::file_io, "flock", {"runtime/internal/syscall.Syscall6", "syscall.Syscall", "main.(*state).save"}));
	CHECK_FALSE(designed(flock, go));
	flock.waits.push_back(stall.waits.front());
	CHECK_FALSE(designed(flock, go));
	Stall computes;
	computes.cause = Cause::cpu;
	computes.duration_ns = s;
	CHECK(designed(computes, go));
	CHECK_FALSE(designed(computes, server));
}

TEST_CASE("threads that take turns at one poll descriptor wait for theirs") {
	Stall stall =
	    asleep(native(Cause::futex, "futex",
	                  {"__futex_abstimed_wait_common", "pthread_cond_wait", "boost::asio::detail::scheduler::do_run_one(…)"}));
	stall.no_loop_yet = false;
	CHECK(designed(stall, server));
	stall.duration_ns += threshold;
	CHECK_FALSE(designed(stall, server)); // for the rest of it it did something else
	Stall handler = asleep(
	    native(Cause::futex, "futex",
	           {"__lll_lock_wait", "pthread_mutex_lock", "Peers::drop(int)", "boost::asio::detail::scheduler::do_run_one(…)"}));
	handler.no_loop_yet = false;
	handler.waits.front().stack->native[2].module = "/srv/relay";
	CHECK_FALSE(designed(handler, server));
}

TEST_CASE("a worker of a pool may compute as long as its job takes") {
	Stall stall;
	stall.no_loop_yet = true;
	stall.cause = Cause::cpu;
	stall.duration_ns = 2 * s;
	CpuPart part;
	part.stack.python = {application(3), in("_process_worker", "concurrent/futures/process.py")};
	stall.cpu.push_back(part);
	CHECK(designed(stall, server));
	stall.cpu.front().stack.python.pop_back();
	CHECK_FALSE(designed(stall, server));
}

TEST_CASE("a process that ends is recognised by its interpreter, its C library or the kernel") {
	Stack stack;
	CHECK_FALSE(is_ending(stack));
	stack.python = {in("_shutdown", "threading.py")};
	CHECK(is_ending(stack));
	stack.python = {application(3)};
	CHECK_FALSE(is_ending(stack));
	stack.native = {{"__run_exit_handlers", "/lib/libc.so.6", 0, std::nullopt, std::nullopt}};
	CHECK(is_ending(stack));
	stack.native.clear();
	stack.kernel = {{"do_group_exit", 1}};
	CHECK(is_ending(stack));
}

TEST_CASE("a master that polls a pipe of its own waits for signals, also where that is taken for another poll call") {
	Wait polls = of(Cause::pipe, "pselect6", {frame("sleep", "/usr/lib/python3/dist-packages/gunicorn/arbiter.py", 357)});
	polls.resource = Resource{PipeResource{3, std::nullopt, Peer{5, "gunicorn", {}}}};
	Stall stall = asleep(polls);
	stall.no_loop_yet = false;
	CHECK(designed(stall, master));
	CHECK_FALSE(designed(stall, server)); // it serves itself
	stall.waits.front().resource = Resource{PipeResource{3, std::nullopt, Peer{6, "git", {}}}};
	CHECK_FALSE(designed(stall, master)); // somebody else writes to it
}

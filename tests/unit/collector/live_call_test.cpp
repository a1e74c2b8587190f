// SPDX-License-Identifier: Apache-2.0
#include "collector/live_call.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <ctime>

#include "base/unique_fd.h"
#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::collector;

namespace {

// A snapshot of this very process, as if one of its threads slept in that call: memory and descriptors are real.
LiveCall call(long number, std::array<std::uint64_t, 6> args) {
	ThreadSnapshot snapshot;
	snapshot.pid = static_cast<std::uint32_t>(getpid());
	snapshot.tid = snapshot.pid;
	snapshot.syscall = number;
	snapshot.args = args;
	return read_live_call(snapshot, process::ProcFs(), process::TargetMemory(snapshot.pid));
}

template <typename T> std::uint64_t address(T *pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

} // namespace

TEST_CASE("poll on one descriptor has that descriptor's cause, on several it is poll, on none a sleep") {
	std::array<int, 2> pair{};
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) == 0);
	const UniqueFd a(pair[0]), b(pair[1]);
	std::array<pollfd, 2> fds{pollfd{a.get(), POLLIN, 0}, pollfd{b.get(), POLLIN, 0}};
	const LiveCall one = call(SYS_poll, {address(fds.data()), 1, 5000});
	CHECK(one.cause == Cause::socket);
	REQUIRE(one.target.descriptors.size() == 1);
	CHECK(one.target.descriptors[0].fd == a.get());
	CHECK(call(SYS_poll, {address(fds.data()), 2, 5000}).cause == Cause::poll);
	const LiveCall none = call(SYS_poll, {0, 0, 250});
	CHECK(none.cause == Cause::sleep);
	CHECK(none.target.requested_ns == 250'000'000U);
}

TEST_CASE("select's sets are read") {
	std::array<int, 2> ends{};
	REQUIRE(pipe(ends.data()) == 0);
	const UniqueFd a(ends[0]), b(ends[1]);
	fd_set set;
	FD_ZERO(&set);
	FD_SET(a.get(), &set);
	const LiveCall one = call(SYS_pselect6, {static_cast<std::uint64_t>(a.get()) + 1, address(&set), 0, 0, 0});
	CHECK(one.cause == Cause::pipe);
	REQUIRE(one.target.descriptors.size() == 1);
	CHECK(one.target.descriptors[0].fd == a.get());
}

TEST_CASE("sleeps show what was asked for, where the time is relative") {
	timespec time{1, 500'000'000};
	CHECK(call(SYS_nanosleep, {address(&time)}).target.requested_ns == 1'500'000'000U);
	CHECK(call(SYS_clock_nanosleep, {CLOCK_MONOTONIC, 0, address(&time)}).target.requested_ns == 1'500'000'000U);
	CHECK_FALSE(call(SYS_clock_nanosleep, {CLOCK_MONOTONIC, TIMER_ABSTIME, address(&time)}).target.requested_ns.has_value());
}

TEST_CASE("paths, locks and children") {
	const std::string path = "/srv/data/file";
	const LiveCall open = call(SYS_openat, {static_cast<std::uint64_t>(-100), address(path.c_str())});
	CHECK(open.cause == Cause::file_io);
	CHECK(open.target.path == path);
	CHECK_FALSE(open.target.directory_fd.has_value());
	CHECK(call(SYS_futex, {0x1234}).target.futex_address == 0x1234U);
	CHECK(call(SYS_wait4, {77}).target.child_pid == 77U);
}

TEST_CASE("memory that cannot be read leaves things unknown") {
	CHECK_FALSE(call(SYS_openat, {0, 8}).target.path.has_value());
	CHECK(call(SYS_poll, {8, 1, 0}).cause == Cause::other);
	CHECK(call(SYS_poll, {8, 0xffffffffffffULL, 0}).cause == Cause::poll);
	CHECK_FALSE(call(SYS_nanosleep, {8}).target.requested_ns.has_value());
	CHECK(call(100'000, {}).cause == Cause::other);
}

TEST_CASE("without a system call it is a page fault, unless it was stopped") {
	ThreadSnapshot snapshot;
	snapshot.pid = static_cast<std::uint32_t>(getpid());
	const process::TargetMemory memory(snapshot.pid);
	CHECK(read_live_call(snapshot, process::ProcFs(), memory).cause == Cause::page_fault);
	snapshot.stopped = true;
	CHECK(read_live_call(snapshot, process::ProcFs(), memory).cause == Cause::stopped);
}

// SPDX-License-Identifier: Apache-2.0
#include "collector/decode.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cstring>
#include <random>
#include <vector>

#include "catch.h"
#include "collector/decode_fd.h"

using namespace loopsnoop;
using namespace loopsnoop::collector;

namespace {

ls_fd file_with(const std::string &components) {
	ls_fd fd{};
	fd.fd = 7;
	fd.mode = S_IFREG | 0600;
	fd.inode = 99;
	std::memcpy(fd.path, components.data(), components.size());
	fd.path_bytes = static_cast<__u32>(components.size());
	return fd;
}

std::span<const std::byte> bytes_of(const std::vector<std::uint64_t> &words, std::size_t size) {
	return std::as_bytes(std::span(words)).first(size);
}

} // namespace

TEST_CASE("a path comes innermost name first and is turned round") {
	using namespace std::string_literals;
	CHECK(decode_fd(file_with("app.log\0log\0var\0"s)).path == "/var/log/app.log");
	CHECK(decode_fd(file_with("/\0"s)).path == "/");
	ls_fd gone = file_with("x\0tmp\0"s);
	gone.flags = LS_FD_DELETED;
	CHECK(decode_fd(gone).path == "/tmp/x (deleted)");
}

TEST_CASE("half a path is no path") {
	using namespace std::string_literals;
	ls_fd cut = file_with("c\0b\0"s);
	cut.flags = LS_FD_PATH_CUT;
	CHECK_FALSE(decode_fd(cut).path.has_value());
	CHECK(decode_fd(cut).inode == 99);
}

TEST_CASE("names that lie about their length stay inside the record") {
	ls_fd fd = file_with(std::string(LS_PATH_BYTES, 'a')); // no NUL at all
	fd.path_bytes = 0xffffffff;
	CHECK(decode_fd(fd).path == "/");
}

TEST_CASE("anonymous inodes keep the name /proc shows") {
	using namespace std::string_literals;
	ls_fd fd = file_with("[eventfd]\0"s);
	CHECK(decode_fd(fd).kind == DescriptorKind::anonymous);
	CHECK(decode_fd(fd).path == "anon_inode:[eventfd]");
}

TEST_CASE("both ends of a socket, IPv4 inside IPv6 as IPv4") {
	ls_fd fd{};
	fd.fd = 9;
	fd.mode = S_IFSOCK | 0777;
	fd.family = AF_INET6;
	fd.local[15] = 1;
	fd.local_port = 80;
	fd.remote[10] = fd.remote[11] = 0xff;
	fd.remote[12] = 127;
	fd.remote[15] = 1;
	fd.remote_port = 5432;
	const DescriptorSnapshot socket = decode_fd(fd);
	CHECK(socket.local == "[::1]:80");
	CHECK(socket.remote == "127.0.0.1:5432");
	fd.remote_port = 0;
	CHECK_FALSE(decode_fd(fd).remote.has_value());
}

TEST_CASE("abstract unix sockets begin with @") {
	ls_fd fd{};
	fd.mode = S_IFSOCK;
	fd.family = AF_UNIX;
	std::memcpy(fd.path, "\0bus", 4);
	fd.path_bytes = 4;
	CHECK(decode_fd(fd).unix_path == "@bus");
}

TEST_CASE("the child of a wait, and any child") {
	CHECK(child_of_call(SYS_wait4, 4900, 0) == 4900U);
	CHECK_FALSE(child_of_call(SYS_wait4, static_cast<std::uint64_t>(-1), 0).has_value());
	CHECK(child_of_call(SYS_waitid, 1, 4900) == 4900U);
	CHECK_FALSE(child_of_call(SYS_waitid, 0, 0).has_value());
}

TEST_CASE("records that are shorter than they should be are dropped") {
	std::vector<std::uint64_t> words(sizeof(ls_wait) / 8 + 8);
	for (std::uint16_t type = 0; type < 12; type++) {
		std::memcpy(words.data(), &type, sizeof(type));
		for (const std::size_t size : {std::size_t{0}, std::size_t{3}, sizeof(ls_header) - 1, sizeof(ls_header)}) {
			CHECK_FALSE(decode_record(bytes_of(words, size)).has_value());
		}
	}
}

TEST_CASE("counts in a record never reach beyond it") {
	std::vector<std::uint64_t> words(sizeof(ls_wait) / 8 + 8);
	auto *wait = reinterpret_cast<ls_wait *>(words.data());
	wait->h.type = LS_RECORD_WAIT;
	wait->flags = LS_WAIT_CAPTURED | LS_WAIT_WAKER;
	wait->kernel_frames = wait->python_frames = wait->fds = wait->stack_bytes = wait->waker_frames = 0xffffffff;
	wait->cause = 200;
	wait->syscall = -1;
	const auto event = decode_record(bytes_of(words, sizeof(ls_wait) + 64));
	REQUIRE(event.has_value());
	const auto &raw = std::get<RawWait>(*event);
	CHECK(raw.cause == Cause::other);
	CHECK_FALSE(raw.syscall.has_value());
	CHECK(raw.stack.stack_bytes.size() == 64);
	CHECK(raw.stack.kernel.size() == LS_KERNEL_FRAMES);
	CHECK(raw.target.descriptors.size() == LS_FDS);
	CHECK(raw.waker_kernel.size() == LS_KERNEL_FRAMES);
}

TEST_CASE("a wait for the GIL is as long as its frames, whatever it says of their number") {
	std::vector<std::uint64_t> words(sizeof(ls_gil_wait) / 8);
	auto *wait = reinterpret_cast<ls_gil_wait *>(words.data());
	wait->h.type = LS_RECORD_GIL;
	wait->h.pid = 70;
	wait->iteration = 9;
	wait->off_ns = 5000000;
	wait->tstate = 0x1000;
	wait->thread_id = 0x2000;
	wait->native_id = 71;
	wait->python_frames = 0xffffffff;
	wait->python[0] = {0x10, 0x11};
	wait->python[1] = {0, 0x12}; // of the C stack
	wait->python[2] = {0x20, 0x21};
	const std::size_t fixed = sizeof(ls_gil_wait) - sizeof(wait->python);
	const auto event = decode_record(bytes_of(words, fixed + 3 * sizeof(ls_python_frame) + 8));
	REQUIRE(event.has_value());
	const auto &raw = std::get<RawGilWait>(*event);
	CHECK(raw.pid == 70);
	CHECK(raw.iteration == 9);
	CHECK(raw.waited_ns == 5000000);
	CHECK(raw.holder_state == 0x1000);
	CHECK(raw.holder_thread_id == 0x2000);
	CHECK(raw.holder_native_id == 71);
	REQUIRE(raw.python.size() == 2);
	CHECK(raw.python[1].code == 0x20);
	CHECK(raw.python[1].instruction == 0x21);
	CHECK(std::get<RawGilWait>(*decode_record(bytes_of(words, fixed))).python.empty());
	CHECK_FALSE(decode_record(bytes_of(words, fixed - 1)).has_value());
}

TEST_CASE("any bytes decode to something or nothing") {
	std::mt19937_64 random(23);
	std::vector<std::uint64_t> words(sizeof(ls_wait) / 8 + 512);
	for (int round = 0; round < 2000; round++) {
		for (std::uint64_t &word : words) {
			word = random();
		}
		const auto type = static_cast<std::uint16_t>(round % 10);
		std::memcpy(words.data(), &type, sizeof(type));
		(void)decode_record(bytes_of(words, random() % (words.size() * 8)));
	}
	SUCCEED();
}

TEST_CASE("a waker's record is about its wait; its stack is of the waker's process") {
	ls_wait wire{};
	wire.h.type = LS_RECORD_WAKER;
	wire.h.slot = 3;
	wire.h.generation = 9;
	wire.h.pid = 100;
	wire.h.tid = 101;
	wire.iteration = 17;
	wire.start_ns = 5000;
	wire.flags = LS_WAIT_CAPTURED | LS_WAIT_PYTHON;
	wire.waker.pid = 200;
	wire.waker.tid = 201;
	wire.regs.r[UserRegisters::stack_pointer] = 0x7ffe0000;
	wire.python_frames = 2;
	wire.python[0] = {0x1000, 0x1010};
	wire.stack_bytes = 16;
	std::vector<std::uint64_t> words((sizeof(wire) + 16) / sizeof(std::uint64_t));
	std::memcpy(words.data(), &wire, sizeof(wire));
	const auto event = decode_record(bytes_of(words, sizeof(wire) + 16));
	REQUIRE(event);
	const auto *waker = std::get_if<RawWaker>(&*event);
	REQUIRE(waker != nullptr);
	CHECK(waker->key == LoopKey{3, 9});
	CHECK(waker->iteration == 17);
	CHECK(waker->wait_start_ns == 5000);
	CHECK(waker->stack.pid == 200);
	CHECK(waker->stack.tid == 201);
	CHECK(waker->stack.stack_address == 0x7ffe0000);
	CHECK(waker->stack.stack_bytes.size() == 16);
	CHECK(waker->stack.python == std::vector<PythonFrameRef>{{0x1000, 0x1010}});
	CHECK_FALSE(decode_record(bytes_of(words, sizeof(wire) - 1)));
}

TEST_CASE("a sample for a dump is of a thread and of no loop") {
	std::vector<std::uint64_t> words(sizeof(ls_wait) / 8 + 2);
	ls_wait wire{};
	wire.h.type = LS_RECORD_SAMPLE;
	wire.h.slot = 0xffff;
	wire.h.pid = 7;
	wire.h.tid = 9;
	wire.flags = LS_WAIT_CAPTURED;
	wire.count = 1;
	wire.regs.r[LS_REGISTER_SP] = 0x7000;
	wire.stack_bytes = 16;
	std::memcpy(words.data(), &wire, sizeof wire);
	const auto event = decode_record(bytes_of(words, words.size() * 8));
	REQUIRE(event);
	const auto &sample = std::get<RawSample>(*event);
	CHECK(sample.pid == 7);
	CHECK(sample.tid == 9);
	CHECK(sample.key.slot == 0xffff);
	CHECK(sample.stack.have_registers);
	CHECK(sample.stack.stack_address == 0x7000);
	CHECK(sample.stack.stack_bytes.size() == 16);
}

// SPDX-License-Identifier: Apache-2.0
// Real sockets and pipes between this program and children of its own.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h> // NOLINT(modernize-deprecated-headers): kill is POSIX
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "catch.h"
#include "child.h"
#include "fixture.h"
#include "process/memory.h"
#include "process/peer_finder.h"

using namespace loopsnoop;
using namespace loopsnoop::process;

namespace {

std::uint32_t own_pid() { return static_cast<std::uint32_t>(::getpid()); }

sockaddr_in loopback(std::uint16_t port) {
	sockaddr_in address{};
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address.sin_port = htons(port);
	return address;
}

template <typename Address> bool connect_to(int fd, const Address &address) {
	return ::connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0;
}
template <typename Address> bool bind_to(int fd, const Address &address) {
	return ::bind(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0;
}

std::uint16_t port_of(int fd) {
	sockaddr_in address{};
	socklen_t size = sizeof address;
	REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr *>(&address), &size) == 0);
	return ntohs(address.sin_port);
}

sockaddr_un unix_address(const std::string &path) {
	sockaddr_un address{};
	address.sun_family = AF_UNIX;
	REQUIRE(path.size() < sizeof address.sun_path);
	std::memcpy(address.sun_path, path.data(), path.size());
	return address;
}

std::uint32_t peer_pid(std::uint32_t pid, int fd) {
	const ProcFs procfs;
	const auto snapshot = procfs.descriptor(pid, fd);
	REQUIRE(snapshot);
	const auto peer = PeerFinder(procfs).find(pid, *snapshot);
	return peer ? peer->pid : 0;
}

} // namespace

TEST_CASE("live: TCP to a child that accepted, one that did not, and one whose backlog is full") {
	UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	REQUIRE(bind_to(listener.get(), loopback(0)));
	REQUIRE(::listen(listener.get(), 0) == 0);
	const std::uint16_t port = port_of(listener.get());
	const Child server([&] { return ::accept(listener.get(), nullptr, nullptr) >= 0; });
	listener.reset();
	const UniqueFd accepted(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	REQUIRE(connect_to(accepted.get(), loopback(port)));
	REQUIRE(server.wait_ready());
	CHECK(peer_pid(own_pid(), accepted.get()) == server.pid());

	std::vector<UniqueFd> more;
	bool waiting_seen = false;
	bool refused_seen = false;
	for (int i = 0; i < 8; ++i) {
		more.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
		static_cast<void>(connect_to(more.back().get(), loopback(port)));
		const auto snapshot = ProcFs().descriptor(own_pid(), more.back().get());
		REQUIRE(snapshot);
		waiting_seen = waiting_seen || snapshot->state == 1;
		refused_seen = refused_seen || snapshot->state == 2;
		INFO("connection " << i << " in state " << int{snapshot->state});
		CHECK(peer_pid(own_pid(), more.back().get()) == server.pid());
	}
	CHECK(waiting_seen);
	CHECK(refused_seen);
}

TEST_CASE("live: UDP to a child") {
	UniqueFd bound(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	REQUIRE(bind_to(bound.get(), loopback(0)));
	const std::uint16_t port = port_of(bound.get());
	const Child server([] { return true; });
	bound.reset();
	REQUIRE(server.wait_ready());
	const UniqueFd client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	REQUIRE(connect_to(client.get(), loopback(port)));
	CHECK(peer_pid(own_pid(), client.get()) == server.pid());
}

TEST_CASE("live: a socket pair") {
	std::array<int, 2> ends{};
	REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
	UniqueFd ours(ends[0]);
	UniqueFd theirs(ends[1]);
	CHECK(peer_pid(own_pid(), ours.get()) == own_pid()); // nobody else has it
	const Child child([&] {
		ours.reset();
		return true;
	});
	theirs.reset();
	REQUIRE(child.wait_ready());
	CHECK(peer_pid(own_pid(), ours.get()) == child.pid());
	CHECK(peer_pid(child.pid(), ends[1]) == own_pid());
}

TEST_CASE("live: a unix socket, accepted or not") {
	const FixtureTree tree;
	const sockaddr_un address = unix_address(tree.path("socket"));
	UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	REQUIRE(bind_to(listener.get(), address));
	REQUIRE(::listen(listener.get(), 5) == 0);
	const Child server([&] { return ::accept(listener.get(), nullptr, nullptr) >= 0; });
	listener.reset();
	const UniqueFd accepted(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	REQUIRE(connect_to(accepted.get(), address));
	REQUIRE(server.wait_ready());
	CHECK(peer_pid(own_pid(), accepted.get()) == server.pid());
	const UniqueFd waiting(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	REQUIRE(connect_to(waiting.get(), address));
	CHECK(peer_pid(own_pid(), waiting.get()) == server.pid());
	for (const int fd : {accepted.get(), waiting.get()}) {
		CHECK(ProcFs().descriptor(own_pid(), fd)->unix_path == tree.path("socket"));
	}
}

TEST_CASE("live: a socket pair in another network namespace") {
	std::array<int, 2> ends{};
	const Child child(
	    [&] { return ::unshare(CLONE_NEWNET) == 0 && ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0 && ends[0] < 100; });
	if (!child.wait_ready()) {
		WARN("skipped: may not make a network namespace");
		return;
	}
	// Our ends[] was not filled: find the child's socket by its links.
	int found = -1;
	for (int fd = 3; fd < 100 && found < 0; ++fd) {
		const auto snapshot = ProcFs().descriptor(child.pid(), fd);
		if (snapshot && snapshot->kind == DescriptorKind::socket && snapshot->family == AF_UNIX) {
			found = fd;
		}
	}
	REQUIRE(found >= 0);
	CHECK(peer_pid(child.pid(), found) == child.pid());
}

TEST_CASE("live: pipe and FIFO") {
	std::array<int, 2> ends{};
	REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
	UniqueFd reader(ends[0]);
	UniqueFd writer(ends[1]);
	const FixtureTree tree;
	const std::string name = tree.path("x.fifo");
	REQUIRE(::mkfifo(name.c_str(), 0600) == 0);
	const Child child([&] {
		reader.reset();
		return ::open(name.c_str(), O_RDONLY) >= 0;
	});
	writer.reset();
	const UniqueFd fifo(::open(name.c_str(), O_WRONLY | O_CLOEXEC));
	REQUIRE(child.wait_ready());
	CHECK(peer_pid(own_pid(), reader.get()) == child.pid());
	CHECK(peer_pid(child.pid(), ends[1]) == own_pid());
	const auto snapshot = ProcFs().descriptor(own_pid(), fifo.get());
	REQUIRE(snapshot);
	CHECK(snapshot->kind == DescriptorKind::pipe);
	CHECK(snapshot->path == name);
	CHECK(peer_pid(own_pid(), fifo.get()) == child.pid());
	REQUIRE(::unlink(name.c_str()) == 0);
	CHECK(PeerFinder(ProcFs()).find(own_pid(), *snapshot)); // the snapshot is older than the unlink
	CHECK(peer_pid(own_pid(), fifo.get()) == child.pid());
}

TEST_CASE("live: a child's place, memory and system call") {
	const std::uint64_t value = 0x5ca1ab1e;
	const Child child([] { return true; });
	REQUIRE(child.wait_ready());
	const ProcFs procfs;
	CHECK(TargetMemory(child.pid()).read_value<std::uint64_t>(reinterpret_cast<std::uint64_t>(&value)) == value);
	const auto children = procfs.children(own_pid());
	CHECK(std::find(children.begin(), children.end(), child.pid()) != children.end());
	CHECK(procfs.same_namespace(own_pid(), child.pid(), "pid") == true);
	CHECK(procfs.status(child.pid())->ppid == own_pid());
	// Just before pause() it may still run.
	std::optional<SyscallState> state;
	for (int i = 0; i < 100 && !(state && state->number); ++i) {
		state = procfs.syscall(child.pid(), child.pid());
		::usleep(1000);
	}
	REQUIRE(state);
	CHECK(state->number == 34); // pause
	CHECK(state->sp != 0);
}

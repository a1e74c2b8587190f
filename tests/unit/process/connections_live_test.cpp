// SPDX-License-Identifier: Apache-2.0
// Real TCP connections of this program with itself, in its own network namespace and in one that the test makes.
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "catch.h"
#include "process/connections.h"

using namespace loopsnoop;
using namespace loopsnoop::process;

namespace {

std::uint32_t own_pid() { return static_cast<std::uint32_t>(::getpid()); }

template <typename Address> UniqueFd listen_at(const Address &address) {
	UniqueFd fd(::socket(reinterpret_cast<const sockaddr *>(&address)->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
	REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0);
	REQUIRE(::listen(fd.get(), 16) == 0);
	return fd;
}

UniqueFd connect_to(const UniqueFd &listener) {
	sockaddr_storage address{};
	socklen_t size = sizeof address;
	REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr *>(&address), &size) == 0);
	UniqueFd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
	REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr *>(&address), size) == 0);
	return fd;
}

sockaddr_in loopback() {
	sockaddr_in address{};
	address.sin_family = AF_INET;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

void send_text(const UniqueFd &fd, std::string_view text) {
	REQUIRE(::send(fd.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
}

void pass(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

// Connections whose local end is at the listener's port.
std::size_t waiting_at(const ConnectionsSnapshot &snapshot, const UniqueFd &listener) {
	sockaddr_in6 address{};
	socklen_t size = sizeof address;
	REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr *>(&address), &size) == 0);
	const std::string port = ":" + std::to_string(ntohs(address.sin6_port)); // at the same place as of IPv4
	return static_cast<std::size_t>(
	    std::ranges::count_if(snapshot.waiting, [&](const WaitingClient &client) { return client.local.ends_with(port); }));
}

template <typename Address> void serve_and_watch(const Address &address) {
	const UniqueFd listener = listen_at(address);
	Connections connections{ProcFs{}};
	const UniqueFd client = connect_to(listener);
	const UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
	auto snapshot = connections.snapshot(own_pid(), monotonic_ns());
	REQUIRE(snapshot);
	CHECK(waiting_at(*snapshot, listener) == 0); // it has not asked

	send_text(client, "GET / HTTP/1.1\r\nHost: here.example\r\n\r\n");
	pass(std::chrono::milliseconds(50));
	connections.rest();
	snapshot = connections.snapshot(own_pid(), monotonic_ns());
	REQUIRE(snapshot);
	REQUIRE(waiting_at(*snapshot, listener) == 1);
	const WaitingClient &waiting = snapshot->waiting.front();
	CHECK(waiting.asked == WaitingClient::Asked::first);
	CHECK(waiting.unread_bytes == 38);
	CHECK(waiting.waited_ns >= 40'000'000); // less a tick of the kernel's clock
	CHECK(waiting.accepted);

	send_text(server, "HTTP/1.1 204 No Content\r\n\r\n");
	pass(std::chrono::milliseconds(20));
	connections.rest();
	snapshot = connections.snapshot(own_pid(), monotonic_ns());
	REQUIRE(snapshot);
	CHECK(waiting_at(*snapshot, listener) == 0);

	const UniqueFd second = connect_to(listener); // nobody accepts it
	connections.rest();
	snapshot = connections.snapshot(own_pid(), monotonic_ns());
	REQUIRE(snapshot);
	REQUIRE(waiting_at(*snapshot, listener) == 1);
	CHECK_FALSE(snapshot->waiting.front().accepted);
}

bool loopback_up() {
	const UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	ifreq request{};
	std::string_view("lo").copy(request.ifr_name, sizeof request.ifr_name);
	request.ifr_flags = IFF_UP;
	return ::ioctl(fd.get(), SIOCSIFFLAGS, &request) == 0;
}

} // namespace

TEST_CASE("live: a customer over IPv4 waits until he is answered, the next one until he is accepted") {
	serve_and_watch(loopback());
}

TEST_CASE("live: a customer over IPv6") {
	sockaddr_in6 address{};
	address.sin6_family = AF_INET6;
	address.sin6_addr = in6addr_loopback;
	serve_and_watch(address);
}

TEST_CASE("live: who was asked and does not answer") {
	const UniqueFd listener = listen_at(loopback());
	const UniqueFd client = connect_to(listener);
	const UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
	send_text(client, "select pg_sleep(100)");
	pass(std::chrono::milliseconds(20));
	Connections connections{ProcFs{}};
	// Both ends are this process's: its port is one that somebody listens on, so the other end is the outgoing one.
	const auto snapshot = connections.snapshot(own_pid(), monotonic_ns());
	REQUIRE(snapshot);
	CHECK(snapshot->outbound >= 1);
	REQUIRE(!snapshot->silent.empty());
	CHECK(snapshot->silent.front().waited_ns >= 10'000'000);
}

TEST_CASE("live: in another network namespace") {
	std::promise<std::uint32_t> ready;
	std::promise<void> done;
	// The thread's namespace is its own; the descriptors are the process's, listed under its thread id as well.
	std::thread visitor([&] {
		if (::unshare(CLONE_NEWNET) != 0 || !loopback_up()) {
			ready.set_value(0);
			return;
		}
		const UniqueFd listener = listen_at(loopback());
		const UniqueFd client = connect_to(listener);
		const UniqueFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
		send_text(client, "GET / HTTP/1.1\r\nHost: here.example\r\n\r\n");
		pass(std::chrono::milliseconds(20));
		ready.set_value(static_cast<std::uint32_t>(::gettid()));
		done.get_future().wait();
	});
	const std::uint32_t tid = ready.get_future().get();
	Connections connections{ProcFs{}};
	const auto snapshot = tid != 0 ? connections.snapshot(tid, monotonic_ns()) : std::nullopt;
	done.set_value();
	visitor.join();
	REQUIRE(tid != 0); // the tests run as root
	REQUIRE(snapshot);
	CHECK(snapshot->waiting.size() == 1);
	CHECK(snapshot->inbound == 1);
	CHECK(snapshot->outbound == 1);
}

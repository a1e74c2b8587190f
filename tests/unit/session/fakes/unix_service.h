// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/unique_fd.h"
#include "catch.h"
#include "fakes/fake_world.h"

// A service with real customers: unix sockets of this program, which the made-up /proc says are `server`'s. The kernel tells no
// times of those, so all of them are the fake clock's.
class UnixService {
public:
	explicit UnixService(const FakeWorld &world) : world_(world) {
		REQUIRE(::bind(listener_.get(), address(), sizeof address_) == 0);
		REQUIRE(::listen(listener_.get(), 16) == 0);
		// That the server is in our network namespace is all that is compared.
		world_.tree.link("thread-self/ns/net", "net:[1]");
		world_.tree.link(std::to_string(server) + "/ns/net", "net:[1]");
		has(listener_, 5);
	}

	loopsnoop::UniqueFd customer() {
		loopsnoop::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
		REQUIRE(::connect(fd.get(), address(), sizeof address_) == 0);
		return fd;
	}
	loopsnoop::UniqueFd accept(int fd) const {
		loopsnoop::UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
		REQUIRE(connection.valid());
		has(connection, fd);
		return connection;
	}
	static void ask(const loopsnoop::UniqueFd &customer) { REQUIRE(::send(customer.get(), "GET /", 5, 0) == 5); }
	static void read_all(const loopsnoop::UniqueFd &connection) {
		std::array<char, 64> bytes{};
		REQUIRE(::recv(connection.get(), bytes.data(), bytes.size(), 0) > 0);
	}

private:
	void has(const loopsnoop::UniqueFd &socket, int fd) const {
		const auto link = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(socket.get()));
		world_.tree.link(std::to_string(server) + "/fd/" + std::to_string(fd), link.string());
	}
	const sockaddr *address() {
		const std::string path = world_.tree.path("socket");
		REQUIRE(path.size() < sizeof address_.sun_path);
		address_.sun_family = AF_UNIX;
		std::memcpy(static_cast<char *>(address_.sun_path), path.data(), path.size());
		return reinterpret_cast<const sockaddr *>(&address_); // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
	}

	const FakeWorld &world_;
	loopsnoop::UniqueFd listener_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	sockaddr_un address_{};
};

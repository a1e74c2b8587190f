// SPDX-License-Identifier: Apache-2.0
#include "foreign/perform.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "catch.h"
#include "folder.h"

using namespace loopsnoop;
using namespace loopsnoop::foreign;

namespace {

Question open_of(std::string path, std::string root = {}) {
	Question question;
	question.action = Action::open;
	question.path = std::move(path);
	question.root = std::move(root);
	return question;
}

template <std::size_t size> std::string_view text_of(const std::array<char, size> &bytes, const Answer &answer) {
	return {bytes.data(), answer.bytes};
}

} // namespace

TEST_CASE("a regular file is opened, with its status and its first bytes") {
	const test::Folder folder;
	std::array<char, 4> bytes{};
	const Answer answer = perform(open_of(folder.write("x", "hello")), std::as_writable_bytes(std::span(bytes)));
	CHECK(answer.error == 0);
	CHECK(answer.status.size == 5);
	CHECK(S_ISREG(answer.status.mode));
	CHECK(text_of(bytes, answer) == "hell");
	REQUIRE(answer.file.valid());

	Question read;
	read.action = Action::read;
	read.file = answer.file.get();
	read.offset = 3;
	const Answer rest = perform(read, std::as_writable_bytes(std::span(bytes)));
	CHECK(text_of(bytes, rest) == "lo");
	read.offset = 9;
	CHECK(perform(read, std::as_writable_bytes(std::span(bytes))).bytes == 0);
}

TEST_CASE("nothing but a regular file is opened") {
	const test::Folder folder;
	REQUIRE(::mkfifo(folder.at("fifo").c_str(), 0600) == 0); // whose writer never comes
	CHECK(perform(open_of(folder.at("fifo")), {}).error == EINVAL);
	CHECK(perform(open_of("/dev/zero"), {}).error == EINVAL);
	CHECK(perform(open_of(folder.path()), {}).error == EISDIR);
	CHECK(perform(open_of(folder.at("none")), {}).error == ENOENT);
	CHECK_FALSE(perform(open_of("/dev/zero"), {}).file.valid());
}

TEST_CASE("inside a root links lead to that root's files") {
	const test::Folder folder;
	folder.write("root/etc/name", "inner");
	std::filesystem::create_symlink("/etc/name", folder.at("root/link"));
	std::filesystem::create_symlink("../../../../etc/name", folder.at("root/up"));
	std::array<char, 16> bytes{};
	for (const auto *const path : {"/etc/name", "/link", "/up", "/../etc/name"}) {
		const Answer answer = perform(open_of(path, folder.at("root")), std::as_writable_bytes(std::span(bytes)));
		CHECK(text_of(bytes, answer) == "inner");
	}
	Question status = open_of("/link", folder.at("root"));
	status.action = Action::status;
	CHECK(perform(status, {}).status.size == 5);
	status.path = "/none";
	CHECK(perform(status, {}).error == ENOENT);
	CHECK(perform(open_of("/x", folder.at("no root")), {}).error == ENOENT);
}

TEST_CASE("memory of a process up to where it ends") {
	std::array<char, 8> here{'l', 'o', 'o', 'p'};
	std::array<char, 8> there{};
	Question question;
	question.action = Action::memory;
	question.pid = static_cast<std::uint32_t>(getpid());
	question.offset = reinterpret_cast<std::uint64_t>(here.data());
	CHECK(perform(question, std::as_writable_bytes(std::span(there))).bytes == here.size());
	CHECK(there == here);
	question.offset = 8;
	CHECK(perform(question, std::as_writable_bytes(std::span(there))).bytes == 0);
	question.offset = ~0ULL - 3;
	CHECK(perform(question, std::as_writable_bytes(std::span(there))).bytes == 0);
	question.pid = 0x7fffffff;
	CHECK(perform(question, std::as_writable_bytes(std::span(there))).error == ESRCH);
}

TEST_CASE("a socket says what it is") {
	const UniqueFd socket(::socket(AF_INET, SOCK_STREAM, 0));
	Question question;
	question.action = Action::socket_protocol;
	question.path = "/proc/self/fd/" + std::to_string(socket.get());
	std::array<char, 32> bytes{};
	const Answer answer = perform(question, std::as_writable_bytes(std::span(bytes)));
	CHECK(std::string(bytes.data()) == "TCP");
	CHECK(answer.error == 0);
	question.path = "/proc/self/exe";
	CHECK(perform(question, std::as_writable_bytes(std::span(bytes))).error != 0);
}

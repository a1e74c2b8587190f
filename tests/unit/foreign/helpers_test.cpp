// SPDX-License-Identifier: Apache-2.0
#include "foreign/helpers.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>

#include "base/clock.h"
#include "catch.h"
#include "folder.h"
#include "foreign/wire.h"

using namespace loopsnoop;
using namespace loopsnoop::foreign;

namespace {

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t patience = 5000 * ms;

// Does not answer as long as a file of that path is there; else, its own pid in `bytes`.
Answer as_long_as_it_is_there(const Question &question, std::span<std::byte> into) {
	while (::access(question.path.c_str(), F_OK) == 0) {
		::usleep(1000);
	}
	Answer answer;
	const pid_t self = getpid();
	const auto bytes = std::as_bytes(std::span(&self, 1));
	std::copy(bytes.begin(), bytes.end(), into.begin());
	answer.bytes = bytes.size();
	return answer;
}

Question about(std::string path) {
	Question question;
	question.path = std::move(path);
	return question;
}

struct Asking {
	Helpers &helpers;
	pid_t pid = 0;
	Helpers::Outcome operator()(const Question &question, std::uint64_t deadline_ns) {
		return helpers.ask(question, std::as_writable_bytes(std::span(&pid, 1)), deadline_ns);
	}
};

} // namespace

TEST_CASE("one worker answers question after question") {
	auto helpers = Helpers::start(as_long_as_it_is_there);
	REQUIRE(helpers);
	Asking ask{*helpers};
	CHECK(ask(about("/none"), patience).answer);
	const pid_t first = ask.pid;
	CHECK(first != getpid());
	CHECK(ask(about("/none"), patience).answer);
	CHECK(ask.pid == first);
	CHECK(ask(about(std::string(max_path + 1, 'x')), patience).answer->error == ENAMETOOLONG);
	CHECK(ask(about("/none"), patience).answer);
}

TEST_CASE("a child that has inherited our descriptors does not hold up the end") {
	const pid_t child = [] {
		auto helpers = Helpers::start(as_long_as_it_is_there);
		REQUIRE(helpers);
		const pid_t forked = ::fork();
		if (forked == 0) {
			::pause(); // as a command that hangs in exec()
			::_exit(0);
		}
		return forked;
	}();
	REQUIRE(child > 0);
	CHECK(::kill(child, 0) == 0);
	::kill(child, SIGKILL);
	CHECK(::waitpid(child, nullptr, 0) == child);
}

TEST_CASE("who wants an end waits for nobody") {
	const test::Folder folder;
	const std::string hang = folder.write("hang", "");
	auto helpers = Helpers::start(as_long_as_it_is_there);
	REQUIRE(helpers);
	std::array<int, 2> ends{};
	REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
	const UniqueFd asked(ends[0]), asker(ends[1]);
	helpers->hurry_by(asked.get());
	REQUIRE(::write(asker.get(), "x", 1) == 1);
	Asking ask{*helpers};
	const std::uint64_t before = monotonic_ns();
	CHECK_FALSE(ask(about(hang), patience).answer);
	CHECK(monotonic_ns() - before < patience / 2);
	CHECK(ask(about("/none"), patience).answer); // what answers at once does
}

TEST_CASE("who does not answer is given up on, replaced, and heard of when it is back") {
	const test::Folder folder;
	const std::string hang = folder.write("hang", "");
	auto helpers = Helpers::start(as_long_as_it_is_there);
	REQUIRE(helpers);
	Asking ask{*helpers};
	REQUIRE(ask(about("/none"), patience).answer);
	const pid_t first = ask.pid;
	const std::uint64_t before = monotonic_ns();
	const auto outcome = ask(about(hang), 20 * ms);
	CHECK_FALSE(outcome.answer);
	CHECK(outcome.given_up != 0);
	CHECK(monotonic_ns() - before >= 20 * ms);
	CHECK(helpers->given_up() == 1);
	CHECK(helpers->take_late().empty());
	REQUIRE(ask(about("/none"), patience).answer);
	CHECK(ask.pid != first);
	std::filesystem::remove(hang);
	std::vector<Helpers::Late> late;
	for (const std::uint64_t until = monotonic_ns() + patience; late.empty() && monotonic_ns() < until; ::usleep(1000)) {
		late = helpers->take_late();
	}
	REQUIRE(late.size() == 1);
	CHECK(late[0].question == outcome.given_up);
	CHECK(late[0].answered);
	CHECK(helpers->given_up() == 0);
}

TEST_CASE("of those that wait only a few are kept, and the end waits for none") {
	const test::Folder folder;
	const std::string hang = folder.write("hang", "");
	{
		auto helpers = Helpers::start(as_long_as_it_is_there);
		REQUIRE(helpers);
		Asking ask{*helpers};
		for (std::size_t i = 0; i < Helpers::max_waiting + 2; i++) {
			CHECK_FALSE(ask(about(hang), ms).answer);
		}
		std::vector<Helpers::Late> late;
		for (const std::uint64_t until = monotonic_ns() + patience; late.size() < 2 && monotonic_ns() < until; ::usleep(1000)) {
			for (const Helpers::Late &one : helpers->take_late()) {
				late.push_back(one);
			}
		}
		REQUIRE(late.size() == 2);
		CHECK_FALSE(late[0].answered);
		CHECK(ask(about("/none"), patience).answer);
	}
	CHECK(std::filesystem::exists(hang));
}

TEST_CASE("a worker that was killed is replaced within the question") {
	auto helpers = Helpers::start(as_long_as_it_is_there);
	REQUIRE(helpers);
	Asking ask{*helpers};
	REQUIRE(ask(about("/none"), patience).answer);
	const pid_t first = ask.pid;
	REQUIRE(::kill(first, SIGKILL) == 0);
	CHECK(ask(about("/none"), patience).answer);
	CHECK(ask.pid != first);
}

TEST_CASE("descriptors go both ways") {
	const test::Folder folder;
	auto helpers = Helpers::start();
	REQUIRE(helpers);
	Question open = about(folder.write("x", "hello"));
	open.action = Action::open;
	std::array<std::byte, 8> bytes{};
	auto opened = helpers->ask(open, bytes, patience);
	REQUIRE(opened.answer);
	REQUIRE(opened.answer->file.valid());
	CHECK(opened.answer->bytes == 5);
	CHECK(opened.answer->status.size == 5);
	Question read;
	read.action = Action::read;
	read.file = opened.answer->file.get();
	read.offset = 1;
	const auto got = helpers->ask(read, bytes, patience);
	REQUIRE(got.answer);
	CHECK(got.answer->bytes == 4);
	CHECK(static_cast<char>(bytes[0]) == 'e');
}

TEST_CASE("a worker has no right to get more, and nothing of ours open") {
	const test::Folder folder;
	const UniqueFd ours(::open(folder.write("secret", "x").c_str(), O_RDONLY));
	auto helpers = Helpers::start([](const Question &, std::span<std::byte> into) {
		int open = 0;
		for (const auto &entry : std::filesystem::directory_iterator("/proc/self/fd")) {
			open += entry.path().filename() != "x" ? 1 : 0;
		}
		Answer answer;
		into[0] = static_cast<std::byte>(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
		into[1] = static_cast<std::byte>(open);
		answer.bytes = 2;
		return answer;
	});
	REQUIRE(helpers);
	std::array<std::byte, 8> bytes{};
	REQUIRE(helpers->ask(about(""), bytes, patience).answer);
	CHECK(static_cast<int>(bytes[0]) == 1);
	CHECK(static_cast<int>(bytes[1]) == 5); // three standard ones, its socket, and the folder that is being read
}

TEST_CASE("who computes, or has no CPU, is given more time than who sleeps") {
	auto helpers = Helpers::start([](const Question &question, std::span<std::byte>) {
		const std::uint64_t until = monotonic_ns() + 150 * ms;
		while (question.path == "computes" && monotonic_ns() < until) {
		}
		if (question.path == "sleeps") {
			::usleep(60'000'000);
		}
		return Answer();
	});
	REQUIRE(helpers);
	CHECK(helpers->ask(about("computes"), {}, 100 * ms).answer);
	CHECK_FALSE(helpers->ask(about("sleeps"), {}, 100 * ms).answer);
}

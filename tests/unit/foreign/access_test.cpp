// SPDX-License-Identifier: Apache-2.0
#include "foreign/access.h"

#include <array>
#include <cerrno>
#include <numeric>

#include "base/clock.h"
#include "catch.h"
#include "folder.h"
#include "foreign/bytes.h"
#include "foreign/wire.h"

using namespace loopsnoop;
using namespace loopsnoop::foreign;

namespace {

FileName named(std::string path) {
	FileName name;
	name.path = std::move(path);
	return name;
}

// Files called "dead" do not answer, as little as memory at 0x1000; everything else does.
Answer some_dead(const Question &question, std::span<std::byte> into) {
	if (question.path.ends_with("dead") || (question.action == Action::memory && question.offset == 0x1000)) {
		::sleep(60);
	}
	return perform(question, into);
}

} // namespace

TEST_CASE("files through helpers and without read the same") {
	const test::Folder folder;
	std::string content(3 * max_piece + 17, '\0');
	std::iota(content.begin(), content.end(), 'a');
	const FileName name = named(folder.write("x", content));
	auto helpers = Helpers::start();
	REQUIRE(helpers);
	Access direct, through(std::move(*helpers));
	for (Access *access : {&direct, &through}) {
		const auto text = access->text(name, 1U << 20U);
		REQUIRE(text);
		CHECK(*text == content);
		CHECK(access->text(name, 100)->size() == 100);
		const auto opened = access->open(name, 10);
		REQUIRE(opened);
		CHECK(opened->first.size() == 10);
		std::vector<std::byte> bytes(content.size());
		CHECK(access->read(opened->file.get(), name, 5, bytes) == content.size() - 5);
		CHECK(access->status(name)->size == content.size());
		CHECK(access->status(named(folder.at("none"))).error().code == ENOENT);
		CHECK(access->unanswered().empty());
	}
}

TEST_CASE("a path that did not answer is not asked again") {
	const test::Folder folder;
	const FileName dead = named(folder.write("dead", "x"));
	auto helpers = Helpers::start(some_dead);
	REQUIRE(helpers);
	Access access(std::move(*helpers));
	const auto first = access.open(dead);
	REQUIRE_FALSE(first);
	CHECK(first.error().code == ETIMEDOUT);
	CHECK(first.error().advice == dead.path + " does not answer");
	const std::uint64_t before = monotonic_ns();
	for (int i = 0; i < 100; i++) {
		CHECK_FALSE(access.status(dead));
	}
	CHECK(monotonic_ns() - before < Access::deadline_ns);
	CHECK(access.open(named(folder.write("x", "y"))));
	REQUIRE(access.unanswered().size() == 1);
	CHECK(access.unanswered()[0].path == dead.path);
	CHECK(access.helpers_given_up() == 1);
}

TEST_CASE("memory that does not answer is not asked for again, other memory is") {
	auto helpers = Helpers::start(some_dead);
	REQUIRE(helpers);
	Access access(std::move(*helpers));
	const std::uint64_t value = 4711;
	const auto self = static_cast<std::uint32_t>(getpid());
	std::uint64_t read = 0;
	const auto into = std::as_writable_bytes(std::span(&read, 1));
	CHECK(access.memory(self, reinterpret_cast<std::uint64_t>(&value), into) == sizeof value);
	CHECK(read == value);
	CHECK(access.memory(self, 0x1000, into) == 0);
	const std::uint64_t before = monotonic_ns();
	for (int i = 0; i < 100; i++) {
		CHECK(access.memory(self, 0x1000, into) == 0);
		CHECK(access.memory(self, reinterpret_cast<std::uint64_t>(&value), into) == sizeof value);
	}
	CHECK(monotonic_ns() - before < Access::deadline_ns);
	CHECK(access.unanswered().at(0).sentence() == "memory of process " + std::to_string(self) + " at 0x1000 does not answer");
}

TEST_CASE("many pieces of memory in one question: those that cannot be read leave out themselves alone") {
	auto helpers = Helpers::start();
	REQUIRE(helpers);
	Access direct, through(std::move(*helpers));
	const auto self = static_cast<std::uint32_t>(getpid());
	std::vector<std::uint32_t> there(600); // more places than fit into one question
	std::iota(there.begin(), there.end(), 1000U);
	std::vector<std::byte> large(3 * max_piece, std::byte{7});
	for (Access *access : {&direct, &through}) {
		std::vector<std::uint32_t> read(there.size());
		std::vector<std::byte> large_read(large.size());
		std::vector<MemoryPiece> pieces;
		for (std::size_t i = 0; i < there.size(); i++) {
			const bool bad = i == 0 || i == 300 || i == 301 || i + 1 == there.size();
			pieces.push_back({bad ? 8 + i : reinterpret_cast<std::uint64_t>(&there[i]),
			                  std::as_writable_bytes(std::span(&read[i], 1)), false});
		}
		pieces.insert(pieces.begin() + 3, {reinterpret_cast<std::uint64_t>(large.data()), large_read, false});
		access->memory(self, pieces);
		CHECK(pieces[3].read);
		CHECK(large_read == large);
		pieces.erase(pieces.begin() + 3);
		std::size_t wrong = 0;
		for (std::size_t i = 0; i < there.size(); i++) {
			const bool bad = i == 0 || i == 300 || i == 301 || i + 1 == there.size();
			wrong += pieces[i].read == !bad && (bad || read[i] == there[i]) ? 0 : 1;
		}
		CHECK(wrong == 0);
	}
	std::array<MemoryPiece, 1> gone{MemoryPiece{reinterpret_cast<std::uint64_t>(there.data()), large, false}};
	through.memory(0x7fffffff, gone);
	CHECK_FALSE(gone[0].read);
}

TEST_CASE("who is always slow has its time, and no more") {
	auto helpers = Helpers::start([](const Question &question, std::span<std::byte>) {
		::usleep(question.pid == 7 ? 200'000 : 0);
		return Answer();
	});
	REQUIRE(helpers);
	Access access(std::move(*helpers));
	FileName slow = named("/x");
	slow.pid = 7;
	int answered = 0;
	for (int i = 0; i < 100; i++) {
		answered += access.status(slow) ? 1 : 0;
	}
	CHECK(answered >= 4);
	CHECK(answered <= 20);
	slow.pid = 8;
	CHECK(access.status(slow));
}

TEST_CASE("small reads of a file come from blocks") {
	const test::Folder folder;
	std::string content(2 * max_piece, 'x');
	content[max_piece - 1] = 'y';
	content[max_piece] = 'z';
	const auto file = File::open(named(folder.write("x", content)));
	REQUIRE(file);
	std::array<char, 4> bytes{};
	const auto into = std::as_writable_bytes(std::span(bytes));
	CHECK((*file)->read_some(max_piece - 2, into) == 4);
	CHECK(std::string(bytes.data(), 4) == "xyzx");
	CHECK((*file)->read_some(content.size() - 2, into) == 2);
	CHECK((*file)->read_some(content.size(), into) == 0);
	CHECK((*file)->read_some(~0ULL - 1, into) == 0);
	std::vector<std::byte> all(content.size());
	CHECK((*file)->read_some(0, all) == all.size());
	CHECK((*file)->status().size == content.size());
	CHECK_FALSE(File::open(named(folder.at("none"))));
}

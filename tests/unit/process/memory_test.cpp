// SPDX-License-Identifier: Apache-2.0
#include "process/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "catch.h"

using namespace loopsnoop::process;

namespace {

// Bytes from `base` on, and nothing else.
class FakeMemory final : public Memory {
public:
	FakeMemory(std::uint64_t base, std::string bytes) : base_(base), bytes_(std::move(bytes)) {}

	[[nodiscard]] std::size_t read_some(std::uint64_t address, std::span<std::byte> into) const override {
		if (address < base_ || address - base_ >= bytes_.size()) {
			return 0;
		}
		const std::size_t size = std::min(into.size(), bytes_.size() - (address - base_));
		std::memcpy(into.data(), bytes_.data() + (address - base_), size);
		return size;
	}

private:
	std::uint64_t base_;
	std::string bytes_;
};

std::uint64_t address_of(const void *pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

} // namespace

TEST_CASE("values and strings of an injected memory") {
	const FakeMemory memory(0x1000, std::string("hello\0world", 11) + std::string(600, 'x') + std::string("\0abc", 4));
	CHECK(memory.read_value<char>(0x1000) == 'h');
	CHECK_FALSE(memory.read_value<std::uint64_t>(0xfff));
	CHECK(memory.read_string(0x1000, 100) == "hello");
	CHECK(memory.read_string(0x1000, 3) == "hel");
	CHECK(memory.read_string(0x1000, 5) == "hello");
	CHECK(memory.read_string(0x1000, 0) == "");
	CHECK(memory.read_string(0x1006, 10000) == "world" + std::string(600, 'x'));
	CHECK_FALSE(memory.read_string(0x1000 + 612, 100)); // ends without a NUL
	CHECK(memory.read_string(0x1000 + 612, 3) == "abc");
	CHECK_FALSE(memory.read_string(0, 10));
	CHECK_FALSE(memory.read_string(~0ULL, 10));
}

TEST_CASE("our own memory, read as another's") {
	const TargetMemory memory(static_cast<std::uint32_t>(::getpid()));
	const std::uint64_t value = 0x1122334455667788;
	CHECK(memory.read_value<std::uint64_t>(address_of(&value)) == value);
	const std::string text = "some text";
	CHECK(memory.read_string(address_of(text.c_str()), 100) == text);
	CHECK_FALSE(memory.read_value<std::uint64_t>(0));
	CHECK_FALSE(memory.read_value<std::uint64_t>(~0ULL - 3));
	CHECK_FALSE(memory.read_value<std::uint64_t>(0xdeadbeefdeadbeef));
	CHECK(memory.read(0, {}));
}

TEST_CASE("a read that runs into a hole says how far it came") {
	const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
	// Long enough that the kernel copies it in several rounds.
	const std::size_t mapped = 40 * page;
	void *const area = ::mmap(nullptr, mapped + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(area != MAP_FAILED);
	std::memset(area, 'x', mapped + page);
	REQUIRE(::mprotect(static_cast<char *>(area) + mapped, page, PROT_NONE) == 0);
	const TargetMemory memory(static_cast<std::uint32_t>(::getpid()));
	std::vector<std::byte> into(mapped + page);
	CHECK(memory.read_some(address_of(area), into) == mapped);
	CHECK(memory.read_some(address_of(area) + 5, into) == mapped - 5);
	CHECK(memory.read_some(address_of(area) + mapped, into) == 0);
	CHECK_FALSE(memory.read(address_of(area), into));
	CHECK_FALSE(memory.read_string(address_of(area) + mapped - 10, 100));
	CHECK(memory.read_string(address_of(area) + mapped - 10, 10) == "xxxxxxxxxx");
	::munmap(area, mapped + page);
}

TEST_CASE("a process that is gone has no memory") {
	std::array<std::byte, 8> into{};
	CHECK(TargetMemory(0x7fffffff).read_some(0x400000, into) == 0);
}

// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/with_blocks.h"

#include <array>

#include "catch.h"
#include "fake_memory.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::cpython;

namespace {

constexpr std::uint64_t frame_at = 0x7f0000001000, lock_at = 0x7f0000002000, exit_at = 0x7f0000003000,
                        definition_at = 0x7f0000004000, type_at = 0x7f0000005000, text_at = 0x7f0000006000;

// A builtin method of the lock, bound to it.
void put_method(test::FakeMemory &memory, const char *type, const char *name, std::uint64_t references) {
	memory.put<std::uint64_t>(exit_at, references);
	memory.put<std::uint64_t>(exit_at + 8, type_at);
	memory.put<std::uint64_t>(exit_at + 16, definition_at);
	memory.put<std::uint64_t>(exit_at + 24, lock_at);
	memory.put<std::uint64_t>(type_at + 24, text_at);
	memory.put_text(text_at, type);
	memory.put<std::uint64_t>(definition_at, text_at + 64);
	memory.put_text(text_at + 64, name);
}

std::set<std::uint64_t> inside(const test::FakeMemory &memory, const Offsets &offsets) {
	const std::array frames{PlacedFrame{{1, 1}, frame_at}};
	return objects_in_with(memory, offsets, frames, {lock_at});
}

} // namespace

TEST_CASE("up to 3.13 the bound __exit__ on a frame's stack shows who is in a with block") {
	const auto offsets = offsets_of({3, 11, 2, {}});
	REQUIRE(offsets);
	test::FakeMemory memory;
	memory.put<std::uint64_t>(frame_at + offsets->frame.locals + 24, exit_at);
	SECTION("there") {
		put_method(memory, "builtin_function_or_method", "__exit__", 1);
		CHECK(inside(memory, *offsets) == std::set<std::uint64_t>{lock_at});
	}
	SECTION("freed: what is left of a block that is over") {
		put_method(memory, "builtin_function_or_method", "__exit__", 0x7f0000007000);
		CHECK(inside(memory, *offsets).empty());
		put_method(memory, "builtin_function_or_method", "__exit__", 0);
		CHECK(inside(memory, *offsets).empty());
	}
	SECTION("another method, or no method at all") {
		put_method(memory, "builtin_function_or_method", "acquire", 1);
		CHECK(inside(memory, *offsets).empty());
		put_method(memory, "tuple", "__exit__", 1);
		CHECK(inside(memory, *offsets).empty());
	}
	SECTION("nothing that can be read") { CHECK(inside(memory, *offsets).empty()); }
}

TEST_CASE("since 3.14 the lock follows its method, below the top of the stack") {
	Offsets offsets = *offsets_of({3, 12, 0, {}});
	offsets.frames.pointer_mask = ~3ULL;
	offsets.frame.stack_pointer = 64;
	offsets.object.type = 8;
	const std::uint64_t begin = frame_at + offsets.frame.locals;
	constexpr std::uint64_t name_at = 0x7f0000008000;
	test::FakeMemory memory;
	memory.put<std::uint64_t>(begin + 8, exit_at | 1U); // the low bits say who counts the reference
	memory.put<std::uint64_t>(begin + 16, lock_at);
	memory.put<std::uint64_t>(frame_at + 64, begin + 24);
	put_method(memory, "method_descriptor", "", 1);
	memory.put<std::uint64_t>(exit_at + 24, name_at);
	constexpr std::uint32_t compact_ascii = (1U << 2U) | 0x20U | 0x40U;
	memory.put<std::int64_t>(name_at + offsets.text.length, 8);
	memory.put<std::uint32_t>(name_at + offsets.text.state, compact_ascii);
	memory.put_text(name_at + offsets.text.ascii_size, "__exit__");
	CHECK(inside(memory, offsets) == std::set<std::uint64_t>{lock_at});
	SECTION("above the top lies what was there before") {
		memory.put<std::uint64_t>(frame_at + 64, begin + 16);
		CHECK(inside(memory, offsets).empty());
	}
	SECTION("it runs: the top is in a register") {
		memory.put<std::uint64_t>(frame_at + 64, 0);
		CHECK(inside(memory, offsets).empty());
	}
	SECTION("a local variable is not a block") {
		memory.put<std::uint64_t>(begin + 8, 0);
		CHECK(inside(memory, offsets).empty());
	}
}

// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/object_reader.h"

#include "catch.h"
#include "object_image.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::cpython;
using test::ObjectImage;

TEST_CASE("an address leads to an object only where its type is one") {
	ObjectImage python(11);
	const std::uint64_t derived_type = python.type("MyTask", python.type("_asyncio.Task"));
	const std::uint64_t task = python.object("_asyncio.Task");
	const std::uint64_t derived = python.object("MyTask");
	ObjectReader reader(python.memory, python.offsets);
	CHECK(reader.type_name(task) == "_asyncio.Task");
	CHECK(reader.type_name(derived) == "MyTask");
	CHECK(reader.is_a(derived, "_asyncio.Task"));
	CHECK_FALSE(reader.is_a(task, "MyTask"));
	CHECK(reader.type_name(derived_type) == "type");
	// No type: its own type has not the flag of types.
	const std::uint64_t stray = python.room(64);
	python.memory.put(stray + 8, task);
	CHECK(reader.type_name(stray).empty());
	for (const std::uint64_t nothing :
	     {std::uint64_t{0}, std::uint64_t{8}, task + 1, ~std::uint64_t{0}, std::uint64_t{0x7f0000000000}}) {
		CHECK(reader.type_name(nothing).empty());
		CHECK_FALSE(reader.is_a(nothing, "_asyncio.Task"));
		CHECK_FALSE(reader.attribute(nothing, "name"));
		CHECK(reader.items(nothing, 10).empty());
		CHECK_FALSE(reader.text(nothing));
	}
}

TEST_CASE("a type whose bases go in a circle") {
	ObjectImage python(11);
	const std::uint64_t one = python.type("one");
	constexpr std::uint64_t type_base = 256;
	python.memory.put(one + type_base, one);
	ObjectReader reader(python.memory, python.offsets);
	CHECK_FALSE(reader.is_a(python.object("one"), "other"));
}

TEST_CASE("lists, tuples, sets and deques") {
	ObjectImage python(12);
	const std::vector<std::uint64_t> words{python.text("a"), python.text("b"), python.text("c")};
	ObjectReader reader(python.memory, python.offsets);
	CHECK(reader.items(python.list(words), 10) == words);
	CHECK(reader.items(python.tuple(words), 2) == std::vector(words.begin(), words.begin() + 2));
	CHECK(reader.size(python.list(words)) == 3U);

	const std::uint64_t set = python.object("set");
	const std::uint64_t table = python.room(4 * 16);
	python.memory.put<std::uint64_t>(set + python.offsets.containers.set_used, 2);
	python.memory.put<std::uint64_t>(set + python.offsets.containers.set_mask, 3);
	python.memory.put(set + python.offsets.containers.set_table, table);
	python.memory.put(table, words[0]);
	python.memory.put<std::uint64_t>(table + 8, 7);
	python.memory.put(table + 16, words[1]); // the place of what was taken out again
	python.memory.put(table + 24, ~std::uint64_t{0});
	python.memory.put(table + 48, words[2]);
	CHECK(reader.items(set, 10) == std::vector{words[0], words[2]});
	python.memory.put<std::uint64_t>(set + python.offsets.containers.set_mask, ~std::uint64_t{0});
	CHECK(reader.items(set, 10).empty());

	// Two of a first block, from its 63rd on, and one of the next.
	const std::uint64_t deque = python.object("collections.deque", 128);
	const std::uint64_t first = python.room(8 * 66);
	const std::uint64_t second = python.room(8 * 66);
	python.memory.put<std::uint64_t>(deque + 16, 3);
	python.memory.put(deque + 24, first);
	python.memory.put<std::uint64_t>(deque + 40, 62);
	python.memory.put(first + 8 * 63, words[0]);
	python.memory.put(first + 8 * 64, words[1]);
	python.memory.put(first + 8 * 65, second);
	python.memory.put(second + 8, words[2]);
	CHECK(reader.items(deque, 10) == words);
	CHECK(reader.items(deque, 1) == std::vector{words[0]});
	python.memory.put<std::uint64_t>(deque + 16, ~std::uint64_t{0});
	python.memory.put(second + 8 * 65, first);
	CHECK(reader.items(deque, 1000).size() == 1000); // blocks in a circle
}

TEST_CASE("noise in place of objects") {
	for (unsigned seed = 0; seed < 200; ++seed) {
		const test::NoiseMemory memory(seed);
		const Offsets offsets = *offsets_of({3, static_cast<std::uint8_t>(9 + seed % 4), {}, {}});
		ObjectReader reader(memory, offsets);
		for (std::uint64_t address = 0x100000; address < 0x101000; address += 64) {
			CHECK(reader.items(address, 100).size() <= 100);
			(void)reader.attribute(address, "_waiters", "name");
			(void)reader.closure(address);
			(void)reader.callable_name(address);
		}
		CHECK(memory.reads < 1'000'000);
	}
}

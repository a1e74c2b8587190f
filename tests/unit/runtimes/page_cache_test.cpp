// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/page_cache.h"

#include <array>
#include <vector>

#include "catch.h"
#include "fake_memory.h"

using namespace loopsnoop;
using runtimes::cpython::PageCache;
using test::FakeMemory;

TEST_CASE("what was read once is read no more, and stays as it was") {
	FakeMemory memory;
	memory.put<std::uint64_t>(0x10000, 1);
	memory.put<std::uint64_t>(0x10ff8, 2);
	memory.put<std::uint64_t>(0x11000, 3);
	PageCache cache(memory);
	CHECK(cache.read_value<std::uint64_t>(0x10000) == 1U);
	memory.put<std::uint64_t>(0x10000, 9);
	const std::size_t reads = memory.reads;
	CHECK(cache.read_value<std::uint64_t>(0x10000) == 1U);
	CHECK(cache.read_value<std::uint64_t>(0x10ff8) == 2U);
	CHECK(memory.reads == reads);
	CHECK(cache.now().read_value<std::uint64_t>(0x10000) == 9U);
	std::array<std::uint64_t, 2> both{};
	CHECK(cache.read(0x10ff8, std::as_writable_bytes(std::span(both))));
	CHECK(both == std::array<std::uint64_t, 2>{2, 3});
	cache.clear();
	CHECK(cache.read_value<std::uint64_t>(0x10000) == 9U);
}

TEST_CASE("pages are fetched before they are asked for") {
	FakeMemory memory;
	memory.put<std::uint64_t>(0x10000, 1);
	memory.put<std::uint64_t>(0x20000, 2);
	PageCache cache(memory);
	cache.prefetch(std::vector<std::uint64_t>{0x10000, 0x10008, 0x1fffc, 0x50000, ~std::uint64_t{0} - 3}, 8);
	const std::size_t reads = memory.reads;
	CHECK(cache.read_value<std::uint64_t>(0x10000) == 1U);
	CHECK(cache.read_value<std::uint64_t>(0x20000) == 2U);
	CHECK(memory.reads == reads);
	CHECK_FALSE(cache.read_value<std::uint64_t>(0x50000));
	CHECK(memory.reads == reads + 1);                                    // in no page that can be read whole: as it is
	CHECK_FALSE(cache.read_value<std::uint64_t>(~std::uint64_t{0} - 3)); // past the end of all addresses
}

TEST_CASE("after so many pages nothing more can be read") {
	FakeMemory memory;
	for (std::uint64_t page = 16; page < 32; ++page) {
		memory.put<std::uint64_t>(page * 4096, page);
	}
	PageCache cache(memory, {4, std::chrono::milliseconds(60'000)});
	for (std::uint64_t page = 16; page < 32; ++page) {
		CHECK(cache.read_value<std::uint64_t>(page * 4096).has_value() == (page < 20));
	}
	CHECK(cache.exhausted());
	CHECK(cache.read_value<std::uint64_t>(16UL * 4096) == 16U); // what is there can be read still
	const PageCache late(memory, {4, std::chrono::milliseconds(-1)});
	CHECK_FALSE(late.read_value<std::uint64_t>(16UL * 4096));
	CHECK(late.exhausted());
}

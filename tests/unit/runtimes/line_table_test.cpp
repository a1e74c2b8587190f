// SPDX-License-Identifier: Apache-2.0
// The tables are what CPython made of one function: a call over two lines, a loop, try/finally, and 145 empty lines in it; what
// is expected is what its co_lines() (3.9: dis.findlinestarts) said.
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "catch.h"
#include "runtimes/cpython/line_table.h"

using namespace loopsnoop::runtimes::cpython;

namespace {

struct Range {
	int begin;
	int end;
	std::optional<int> line;
};

void check(LineFormat format, const std::vector<std::uint8_t> &table, const std::vector<Range> &ranges) {
	for (const Range &range : ranges) {
		for (int offset = range.begin; offset < range.end; offset += 2) {
			INFO("offset " << offset);
			CHECK(line_at(format, table, 1, offset) == range.line);
		}
	}
	CHECK(line_at(format, table, 1, -1) == 1); // before the first instruction
}

constexpr auto none = std::nullopt;

} // namespace

TEST_CASE("lines of CPython 3.9") {
	check(LineFormat::lnotab, {0, 1, 4, 1, 2, 255, 4, 3, 8, 1, 2, 1, 2, 1, 2, 255, 6, 3, 14, 127, 0, 21},
	      {{0, 4, 2},
	       {4, 6, 3},
	       {6, 10, 2},
	       {10, 18, 5},
	       {18, 20, 6},
	       {20, 22, 7},
	       {22, 24, 8},
	       {24, 30, 7},
	       {30, 44, 10},
	       {44, 48, 158}});
}

TEST_CASE("lines of CPython 3.10") {
	const std::vector<std::uint8_t> table{4, 1, 2, 1, 4, 255, 8, 3, 2, 1, 2, 1, 2, 1, 6, 255, 12, 3, 0, 127, 4, 21};
	check(LineFormat::ranges, table,
	      {{0, 4, 2},
	       {4, 6, 3},
	       {6, 10, 2},
	       {10, 18, 5},
	       {18, 20, 6},
	       {20, 22, 7},
	       {22, 24, 8},
	       {24, 30, 7},
	       {30, 42, 10},
	       {42, 46, 158}});
	CHECK_FALSE(line_at(LineFormat::ranges, table, 1, 46)); // past the end
	CHECK_FALSE(line_at(LineFormat::ranges, std::vector<std::uint8_t>{4, 0x80, 2, 1}, 1, 2));
	CHECK(line_at(LineFormat::ranges, std::vector<std::uint8_t>{4, 0x80, 2, 1}, 1, 4) == 2);
}

TEST_CASE("lines of CPython 3.11") {
	check(LineFormat::locations,
	      {128, 0,   216, 8,   9,   136, 1,   136, 33,  216, 10,  11, 241, 3,  1,   9,  13,  244, 0,  1,   9,  13,  128, 65, 240,
	       6,   0,   14,  15,  240, 0,   5,   5,   18,  240, 0,   5,  5,   18, 136, 1,  240, 2,   4,  9,   18, 216, 12,  13, 136,
	       65,  216, 16,  17,  241, 3,   1,   13,  19,  244, 0,   1,  13,  19, 240, 0,  1,   13,  19, 240, 6,  0,   17,  18, 136,
	       65,  136, 65,  248, 144, 1,   136, 65,  136, 69,  136, 69, 136, 69, 136, 69, 240, 104, 4,  0,   12, 13,  128, 72},
	      {{0, 2, 1},
	       {2, 8, 2},
	       {8, 10, 3},
	       {10, 26, 2},
	       {26, 34, 5},
	       {34, 36, 6},
	       {36, 40, 7},
	       {40, 42, 8},
	       {42, 58, 7},
	       {58, 64, 10},
	       {64, 66, none},
	       {66, 78, 10},
	       {78, 82, 158},
	       {82, 100, none}});
}

TEST_CASE("lines of CPython 3.13 and 3.14") {
	check(LineFormat::locations,
	      {128, 0, 217, 8,  9,   136, 33, 216, 10,  11, 243, 3,   1,   9,   13,  128, 65,  243, 6,  0,   14, 15,  136, 1,
	       240, 2, 4,   9,  18,  217, 12, 13,  216, 16, 17,  244, 3,   1,   13,  19,  240, 6,   0,  17,  18, 138, 65,  241,
	       11,  0, 14,  15, 240, 114, 4,  0,   12,  13, 128, 72,  248, 240, 105, 4,   0,   17,  18, 137, 65, 250},
	      {{0, 2, 1},
	       {2, 8, 2},
	       {8, 10, 3},
	       {10, 20, 2},
	       {20, 30, 5},
	       {30, 32, 6},
	       {32, 36, 7},
	       {36, 38, 8},
	       {38, 48, 7},
	       {48, 56, 10},
	       {56, 60, 5},
	       {60, 64, 158},
	       {64, 66, none},
	       {66, 72, 10},
	       {72, 78, none}});
}

TEST_CASE("line tables that are cut short or noise") {
	CHECK(line_at(LineFormat::lnotab, {}, 7, 0) == 7);
	CHECK_FALSE(line_at(LineFormat::ranges, {}, 7, 0));
	CHECK_FALSE(line_at(LineFormat::locations, {}, 7, 0));
	// A number that never ends, and one that ends the table.
	CHECK_FALSE(line_at(LineFormat::locations, std::vector<std::uint8_t>(100, 0x7f), 7, 0));
	CHECK_FALSE(line_at(LineFormat::locations, std::vector<std::uint8_t>{0xf0, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f, 0x7f}, 7, 0));
	CHECK_FALSE(line_at(LineFormat::locations, std::vector<std::uint8_t>{0xf0}, 7, 0));
	// Lines below zero are none.
	CHECK_FALSE(line_at(LineFormat::lnotab, std::vector<std::uint8_t>{0, 0x80}, 7, 0));
	std::mt19937 random(1); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same tables each time
	for (int round = 0; round < 20'000; ++round) {
		std::vector<std::uint8_t> table(random() % 64);
		for (auto &byte : table) {
			byte = static_cast<std::uint8_t>(random());
		}
		for (const LineFormat format : {LineFormat::lnotab, LineFormat::ranges, LineFormat::locations}) {
			const auto line = line_at(format, table, static_cast<int>(random()), static_cast<std::int64_t>(random() % 512) - 2);
			if (line && *line < 0) {
				FAIL("a line below zero");
			}
		}
	}
}

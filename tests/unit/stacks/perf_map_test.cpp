// SPDX-License-Identifier: Apache-2.0
#include "stacks/perf_map.h"

#include <fmt/format.h>

#include <random>

#include "catch.h"
#include "stacks/open_image.h"
#include "temporary_file.h"

using loopsnoop::stacks::open_ours;
using loopsnoop::stacks::PerfMap;
using loopsnoop::test::TemporaryFile;

TEST_CASE("entries of a perf map are found, the latest first") {
	const TemporaryFile file("1000 100 first\n2000 80 JS:~foo /path/app.js:10:3\n3000 10 old\n");
	PerfMap map;
	map.update(open_ours(file.path()));
	CHECK(map.find(0x1000) == "first");
	CHECK(map.find(0x10ff) == "first");
	CHECK_FALSE(map.find(0x1100));
	CHECK_FALSE(map.find(0xfff));
	CHECK(map.find(0x2010) == "JS:~foo /path/app.js:10:3");
	// Appended: the same place again, and one that overlaps from before.
	file.append("3000 10 new\nff0 20 overlaps\n4000 10 not comp");
	map.update(open_ours(file.path()));
	CHECK(map.find(0x3008) == "new");
	CHECK(map.find(0x1008) == "overlaps");
	CHECK(map.find(0x1018) == "first");
	CHECK_FALSE(map.find(0x4000));
	file.append("lete\n");
	map.update(open_ours(file.path()));
	CHECK(map.find(0x4000) == "not complete");
	CHECK(map.find(0x3008) == "new");
}

TEST_CASE("a perf map that is written anew is read anew") {
	const TemporaryFile file("1000 100 before the restart, a long name\n");
	PerfMap map;
	map.update(open_ours(file.path()));
	file.write("2000 100 after\n");
	map.update(open_ours(file.path()));
	CHECK_FALSE(map.find(0x1000));
	CHECK(map.find(0x2000) == "after");
}

TEST_CASE("garbage in a perf map gives no names, and takes no time") {
	std::mt19937 random(23); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same junk each time
	std::string junk(1'000'000, '\0');
	for (char &byte : junk) {
		byte = static_cast<char>(random() % 256);
	}
	const TemporaryFile file(
	    junk +
	    "\n0 0 zero\nffffffffffffffff ffffffffffffffff all\n5000 fffffff too long\n6000 -1 negative\n7000 10\n7100 10 \n"
	    "nothex 10 x\n8000 10 good\n" +
	    std::string(2'000'000, 'a'));
	PerfMap map;
	map.update(open_ours(file.path()));
	for (const std::uint64_t address : {0ULL, 0x5000ULL, 0x6000ULL, 0x7000ULL, 0x7100ULL, 0xffffffffffffffffULL}) {
		INFO(std::hex << address);
		CHECK_FALSE(map.find(address));
	}
	CHECK(map.find(0x8001) == "good");
	map.update(nullptr);
	CHECK(map.find(0x8001) == "good");
}

TEST_CASE("a perf map's entries are bounded, the newest stay") {
	std::string text;
	for (int i = 0; i < 700'000; ++i) {
		text += fmt::format("{:x} 10 f{}\n", 0x100000 + i * 16, i);
	}
	const TemporaryFile file(text);
	PerfMap map;
	map.update(open_ours(file.path()));
	CHECK(map.size() <= 256 * 1024);
	CHECK(map.find(0x100000 + 699'999ULL * 16) == "f699999");
	CHECK_FALSE(map.find(0x100000));
}

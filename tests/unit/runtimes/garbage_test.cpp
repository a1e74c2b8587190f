// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/garbage.h"

#include "catch.h"
#include "python_image.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::cpython;
using test::PythonImage;

namespace {

constexpr std::uint64_t runtime = 0x10000;
constexpr std::uint64_t interpreter = 0x20000;

struct Collector {
	PythonImage python;
	Version version;
	CodeCache codes{python.offsets, 0};

	explicit Collector(std::uint8_t minor) : python{{}, *offsets_of({3, minor, {}, {}})}, version{3, minor, {}, {}} {
		python.interpreter(runtime, interpreter, 0, 0x30000);
		set(0, {0, 0, 0});
	}
	void set(std::int32_t collecting, std::array<std::int32_t, 3> counts) {
		python.memory.put<std::int32_t>(interpreter + python.offsets.interpreter.gc_collecting, collecting);
		for (std::size_t i = 0; i < counts.size(); i++) {
			const std::uint64_t at = interpreter + python.offsets.interpreter.gc_generations + i * 24;
			python.memory.put<std::int32_t>(at + 16, 700);
			python.memory.put<std::int32_t>(at + 20, counts.at(i));
		}
	}
	std::optional<Collection> now() { return current_collection({python.memory, python.offsets, codes, runtime, version}); }
};

} // namespace

TEST_CASE("the generation that is being collected, by the counts above it") {
	for (const std::uint8_t minor : test::Minors{9, 10, 11, 12}) {
		Collector collector(minor);
		collector.set(0, {700, 3, 2});
		CHECK_FALSE(collector.now());
		collector.set(1, {0, 4, 2});
		REQUIRE(collector.now());
		CHECK(collector.now()->generation == 0U);
		collector.set(1, {12, 0, 3}); // what its callbacks made is counted
		CHECK(collector.now()->generation == 1U);
		collector.set(1, {0, 0, 0});
		CHECK(collector.now()->generation == 2U);
	}
}

TEST_CASE("what is no such struct has no generation, and what is no flag no collection") {
	Collector collector(11);
	collector.set(1, {0, -5, 0});
	REQUIRE(collector.now());
	CHECK_FALSE(collector.now()->generation);
	collector.set(0x7f12, {0, 0, 0});
	CHECK_FALSE(collector.now());
	collector.set(1, {0, 0, 0});
	collector.version.minor = 14; // 3.14.0 to 3.14.4 collect in steps
	collector.version.micro = 3;
	CHECK_FALSE(collector.now()->generation);
	collector.version.micro = 6;
	CHECK(collector.now()->generation == 2U);
}

// SPDX-License-Identifier: Apache-2.0
#include "catch.h"
#include "python_image.h"
#include "runtimes/cpython/code_cache.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::cpython;
using test::PythonImage;

namespace {

constexpr std::uint64_t code_type = 0x1000;
constexpr std::uint64_t code = 0x20000;
constexpr std::uint64_t name = 0x30000;
constexpr std::uint64_t filename = 0x31000;
constexpr std::uint64_t table = 0x32000;
// Four code units of the first line (none of its own), then four on the next.
const std::vector<std::uint8_t> two_lines{0x83, 0, 0xdb, 0, 0};

PythonImage image(std::uint8_t minor) {
	PythonImage python{{}, *offsets_of({3, minor, {}, {}})};
	python.string(name, 0, "Gateway.audit");
	python.string(filename, 0, "/srv/app/audit.py");
	python.bytes(table, minor >= 11 ? two_lines : std::vector<std::uint8_t>{8, 0, 8, 1});
	python.code(code, code_type, name, filename, table, 40);
	return python;
}

} // namespace

TEST_CASE("names and lines of a code object") {
	PythonImage python = image(11);
	CodeCache cache(python.offsets, code_type);
	const std::uint64_t start = code + *python.offsets.code.instructions;
	for (int round = 0; round < 2; ++round) {
		const SourceFrame frame = cache.resolve(python.memory, {code, start + 2});
		CHECK(frame.function == "Gateway.audit");
		CHECK(frame.file == "/srv/app/audit.py");
		CHECK(frame.line == 40);
		CHECK(cache.resolve(python.memory, {code, start + 8}).line == 41);
		CHECK(cache.resolve(python.memory, {code, start + 14}).line == 41);
		CHECK(cache.resolve(python.memory, {code, start - 2}).line == 40); // made, not yet run
	}
	// Of another code object, or none: the name holds, the line does not.
	for (const std::uint64_t instruction : {std::uint64_t{0}, start - 4, start + 16, ~std::uint64_t{0}}) {
		const SourceFrame frame = cache.resolve(python.memory, {code, instruction});
		CHECK(frame.function == "Gateway.audit");
		CHECK_FALSE(frame.line);
	}
}

TEST_CASE("code objects with line tables of 250 KiB each cost no more memory than others, over all caches") {
	PythonImage python = image(11);
	python.bytes(table, std::vector<std::uint8_t>(250 << 10, 0x80));
	constexpr std::uint64_t many = 0x400000;
	for (std::uint64_t i = 0; i < 30; i++) {
		python.code(many + i * 0x1000, code_type, name, filename, table, 40);
	}
	std::vector<CodeCache> caches;
	for (int process = 0; process < 8; process++) {
		caches.emplace_back(python.offsets, code_type);
	}
	for (CodeCache &cache : caches) {
		for (std::uint64_t i = 0; i < 30; i++) {
			const std::uint64_t address = many + i * 0x1000;
			CHECK(cache.resolve(python.memory, {address, address + *python.offsets.code.instructions}).function ==
			      "Gateway.audit");
			REQUIRE(cache.bytes() <= CodeCache::max_bytes);
		}
	}
	std::size_t all = 0;
	for (const CodeCache &cache : caches) {
		all += cache.bytes();
	}
	CHECK(all <= CodeCache::max_bytes_of_all);
	CHECK(all >= CodeCache::max_bytes_of_all - CodeCache::max_bytes);
	caches.clear();
	CodeCache alone(python.offsets, code_type);
	CHECK(alone.resolve(python.memory, {code, code + *python.offsets.code.instructions}).function == "Gateway.audit");
	CHECK(alone.bytes() > 250 << 10);
}

TEST_CASE("instructions by index") {
	for (const std::uint8_t minor : test::Minors{9, 10}) {
		PythonImage python = image(minor);
		CodeCache cache(python.offsets, code_type);
		const unsigned unit = minor == 9 ? 1 : 2;
		CHECK(cache.resolve(python.memory, {code, 6 / unit}).line == 40);
		CHECK(cache.resolve(python.memory, {code, 0xffffffff}).line == 40); // f_lasti -1
		const int next = *cache.resolve(python.memory, {code, 8 / unit}).line;
		CHECK(next == (minor == 9 ? 40 : 41));
	}
}

TEST_CASE("what is known is read once, and again when the address holds another code object") {
	PythonImage python = image(11);
	CodeCache cache(python.offsets, code_type);
	const PythonFrameRef frame{code, code + *python.offsets.code.instructions};
	CHECK(cache.resolve(python.memory, frame).function == "Gateway.audit");
	const std::size_t before = python.memory.reads;
	CHECK(cache.resolve(python.memory, frame).function == "Gateway.audit");
	CHECK(python.memory.reads == before + 1);

	constexpr std::uint64_t other_name = 0x33000;
	python.string(other_name, 0, "other");
	python.code(code, code_type, other_name, filename, table, 40);
	CHECK(cache.resolve(python.memory, frame).function == "other");
	python.code(code, code_type, other_name, filename, table, 50);
	CHECK(cache.resolve(python.memory, frame).line == 50);
	python.code(code, 0x2000, other_name, filename, table, 50); // its type is not that of code objects
	CHECK(cache.resolve(python.memory, frame).function == "?");
	python.code(code, code_type, name, filename, table, 40);
	CHECK(cache.resolve(python.memory, frame).function == "Gateway.audit");
}

TEST_CASE("code objects in pieces") {
	PythonImage python = image(11);
	CodeCache cache(python.offsets, 0); // the type is not known: everything must hold without
	const std::uint64_t start = code + *python.offsets.code.instructions;
	const auto resolved = [&] { return cache.resolve(python.memory, {code, start}); };
	python.code(code, code_type, 0, filename, table, 40);
	CHECK(resolved().function == "?");
	CHECK(resolved().file == "/srv/app/audit.py");
	CHECK_FALSE(resolved().line);
	python.code(code, code_type, name, 0xdead000, table, 40);
	CHECK(resolved().function == "Gateway.audit");
	CHECK(resolved().file.empty());
	python.code(code, code_type, name, filename, 0xdead000, 40);
	CHECK(resolved().function == "Gateway.audit");
	CHECK_FALSE(resolved().line);
	CHECK(cache.resolve(python.memory, {0, 0}).function == "?");
	CHECK(cache.resolve(python.memory, {0xdead000, 0}).function == "?");
	CHECK(cache.resolve(python.memory, {~std::uint64_t{0}, 0}).function == "?");
}

TEST_CASE("noise for code objects") {
	for (const std::uint8_t minor : test::Minors{9, 10, 11, 12}) {
		const test::NoiseMemory noise(minor);
		CodeCache cache(*offsets_of({3, minor, {}, {}}), 0);
		for (std::uint64_t i = 0; i < 6000; ++i) {
			const SourceFrame frame = cache.resolve(noise, {0x1000 + i % 2500 * 8, i});
			if (frame.function.size() > 4096 || frame.file.size() > 16'384) {
				FAIL("a name without bound");
			}
		}
	}
}

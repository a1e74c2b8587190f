// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <string>

#include "catch.h"
#include "python_image.h"
#include "runtimes/cpython/objects.h"

using namespace loopsnoop;
using namespace loopsnoop::runtimes::cpython;
using test::PythonImage;
using namespace std::string_literals;

namespace {
constexpr std::uint64_t here = 0x5000;
constexpr std::size_t limit = 100;
} // namespace

TEST_CASE("strings of every width become UTF-8") {
	for (const int minor : {9, 12}) { // with and without wstr
		PythonImage python{{}, *offsets_of({3, static_cast<std::uint8_t>(minor), {}, {}})};
		const auto text_of = [&] { return read_unicode(python.memory, python.offsets, here, limit); };
		python.string(here, 0, "handler");
		CHECK(text_of() == "handler");
		python.string(here, 0, "");
		CHECK(text_of() == "");
		python.string(here, 1, "caf\xe9");
		CHECK(text_of() == "caf\xc3\xa9");
		python.string(here, 2, "\x44\x04\x43\x04"s);
		CHECK(text_of() == "\xd1\x84\xd1\x83");
		python.string(here, 2, "\x00\x08\xff\xff"s);
		CHECK(text_of() == "\xe0\xa0\x80\xef\xbf\xbf");
		python.string(here, 4, "\x00\x00\x02\x00\x41\x00\x00\x00"s);
		CHECK(text_of() == "\xf0\xa0\x80\x80\x41");
	}
}

TEST_CASE("characters that are none") {
	PythonImage python{{}, *offsets_of({3, 11, {}, {}})};
	const auto text_of = [&] { return read_unicode(python.memory, python.offsets, here, limit); };
	python.string(here, 2, "\xff\xdc\x80\xdc"s); // surrogateescape: bytes of a file name
	CHECK(text_of() == "\xff\x80");
	python.string(here, 2, "\x00\xd8"s); // a lone surrogate
	CHECK(text_of() == "\xef\xbf\xbd");
	python.string(here, 4, "\xff\xff\xff\xff"s); // past U+10FFFF
	CHECK(text_of() == "\xef\xbf\xbd");
}

TEST_CASE("hostile strings") {
	PythonImage python{{}, *offsets_of({3, 11, {}, {}})};
	const auto text_of = [&] { return read_unicode(python.memory, python.offsets, here, limit); };
	CHECK_FALSE(text_of()); // not mapped
	CHECK_FALSE(read_unicode(python.memory, python.offsets, 0, limit));
	CHECK_FALSE(read_unicode(python.memory, python.offsets, std::numeric_limits<std::uint64_t>::max() - 4, limit));

	python.string(here, 0, std::string(300, 'x'));
	CHECK(text_of() == std::string(limit, 'x')); // long: cut
	python.memory.put(here + python.offsets.text.length, std::numeric_limits<std::int64_t>::max());
	CHECK(text_of()->size() == limit);
	python.memory.put(here + python.offsets.text.length, std::int64_t{-1});
	CHECK_FALSE(text_of());

	python.string(here, 0, "x");
	for (const std::uint32_t state : {0x00U, 0x04U, 0x20U, 0x2cU, 0x3cU, 0x68U, 0xffffffffU}) { // not compact, no such width, …
		INFO(state);
		python.memory.put(here + python.offsets.text.state, state);
		CHECK_FALSE(text_of());
	}
	// A string that claims to go on past the mapped page.
	const std::uint64_t end = 0x9000 - 64;
	python.string(end, 0, "edge");
	python.memory.put(end + python.offsets.text.length, std::int64_t{90});
	CHECK_FALSE(read_unicode(python.memory, python.offsets, end, limit));
}

TEST_CASE("bytes objects") {
	PythonImage python{{}, *offsets_of({3, 11, {}, {}})};
	python.bytes(here, {1, 2, 3});
	CHECK(read_bytes(python.memory, python.offsets, here, 3) == std::vector<std::uint8_t>{1, 2, 3});
	CHECK_FALSE(read_bytes(python.memory, python.offsets, here, 2)); // longer than allowed: none rather than a part
	for (const std::int64_t size :
	     {std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
		python.memory.put(here + python.offsets.object.var_size, size);
		CHECK_FALSE(read_bytes(python.memory, python.offsets, here, 1000));
	}
	CHECK_FALSE(read_bytes(python.memory, python.offsets, 0, 1000));
}

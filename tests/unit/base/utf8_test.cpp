// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include <string>

#include "catch.h"

using namespace loopsnoop;

TEST_CASE("every code is written and read back the same, and what is no character becomes U+FFFD") {
	std::string wrong;
	for (std::uint32_t code = 0; code <= 0x110010; code++) {
		std::string text;
		utf8::append(text, code);
		const utf8::Character read = utf8::first_character(text + "\x80z");
		const bool is_character = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
		if (!read.valid || read.bytes != text.size() || read.code != (is_character ? code : 0xfffd)) {
			wrong += std::to_string(code) + ' ';
		}
	}
	CHECK(wrong.empty());
}

TEST_CASE("of two bytes each is read as RFC 3629 has it") {
	// The oracle is the encoder: a sequence is well-formed when it is what some character is encoded as.
	int valid = 0;
	for (int first = 0x80; first < 0x100; first++) {
		for (int second = 0; second < 0x100; second++) {
			const utf8::Character read = utf8::first_character(std::string{static_cast<char>(first), static_cast<char>(second)});
			std::string again;
			utf8::append(again, read.code);
			const bool same = again == std::string{static_cast<char>(first), static_cast<char>(second)};
			valid += read.valid ? 1 : 0;
			CHECK(read.valid == (same && read.bytes == 2));
		}
	}
	CHECK(valid == 0x800 - 0x80);
}

TEST_CASE("a broken character ends where it cannot go on") {
	const auto bytes = [](std::string_view text) { return utf8::first_character(text).bytes; };
	CHECK(bytes("\xf0\x9f\x98") == 3);
	CHECK(bytes("\xf0\x9f\x98\xff") == 3);
	CHECK(bytes("\xf0\x9fz") == 2);
	CHECK(bytes("\xf0\x80\x80\x80") == 1); // overlong from its second byte on
	CHECK(bytes("\xed\xa0\x80") == 1);
	CHECK(bytes("\x80\x80") == 1);
	CHECK_FALSE(utf8::first_character("\xf0\x9f\x98").valid);
}

TEST_CASE("a text is cut between characters") {
	CHECK(utf8::cut_before("a日b", 4) == 4);
	CHECK(utf8::cut_before("a日b", 3) == 1);
	CHECK(utf8::cut_before("a日b", 2) == 1);
	CHECK(utf8::cut_before("日", 1) == 0);
	CHECK(utf8::cut_before("ab", 2) == 2);
	CHECK(utf8::cut_before("\x80\x80\x80\x80\x80", 4) == 1); // no character is longer
}

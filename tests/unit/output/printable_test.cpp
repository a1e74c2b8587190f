// SPDX-License-Identifier: Apache-2.0
#include "output/printable.h"

#include "catch.h"

using namespace loopsnoop::output;

TEST_CASE("what drives a terminal is shown, not obeyed") {
	CHECK(printable("plain/päth·×") == "plain/päth·×");
	CHECK(printable("\x1b]0;pwned\x07") == "\\x1b]0;pwned\\x07");
	CHECK(printable("a\r\n\tb\x7f") == "a\\x0d\\x0a\\x09b\\x7f");
	CHECK(printable(std::string_view("a\0b", 3)) == "a\\x00b");
	CHECK(printable("\xc2\x9b"
	                "31m") == "\\u009b31m");                     // C1 CSI
	CHECK(printable("abc\u202egnp.exe") == "abc\\u202egnp.exe"); // NOLINT(misc-misleading-bidirectional): on purpose
	CHECK(printable("a\u2028\u200b\u2066\ufeff") ==
	      "a\\u2028\\u200b\\u2066\\ufeff"); // NOLINT(misc-misleading-bidirectional): on purpose
}

TEST_CASE("bytes that are no UTF-8 are shown as bytes") {
	CHECK(printable("\xff\xfe") == "\\xff\\xfe");
	CHECK(printable("\xc0\xaf") == "\\xc0\\xaf");                   // overlong
	CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");          // surrogate
	CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80"); // past U+10FFFF
	CHECK(printable("a\xe2\x82") == "a\\xe2\\x82");                 // cut short
	CHECK(printable("\xe2\x82\xac") == "€");
}

TEST_CASE("long strings lose their middle, between characters") {
	CHECK(printable("0123456789", 4) == "01…89");
	const std::string huge(std::size_t{1} << 20, 'x');
	CHECK(printable(huge).size() < 2 * name_columns);
	std::string euros;
	for (int i = 0; i < 1000; i++) {
		euros += "€";
	}
	CHECK(printable(euros, 100).find('\\') == std::string::npos);
	CHECK(printable(std::string(std::size_t{1} << 20, '\xff')).size() < 5 * name_columns);
}

TEST_CASE("columns are counted and cut as terminals do") {
	CHECK(columns_of("a·×…") == 4);
	CHECK(columns_of("日本") == 4);
	CHECK(cut_to_columns("a·×…b", 3) == "a·×");
	CHECK(cut_to_columns("日本", 3) == "日");
	CHECK(cut_to_columns("ab", 10) == "ab");
}

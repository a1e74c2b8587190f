// SPDX-License-Identifier: Apache-2.0
#include "base/escape.h"

#include "catch.h"

using namespace loopsnoop;

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
	CHECK(printable(huge).size() < 2 * shown_name_bytes);
	std::string euros;
	for (int i = 0; i < 1000; i++) {
		euros += "€";
	}
	CHECK(printable(euros, 100).find('\\') == std::string::npos);
	CHECK(printable(std::string(std::size_t{1} << 20, '\xff')).size() < 5 * shown_name_bytes);
}

namespace {

std::string json(std::string_view text) {
	std::string out;
	append_json_string(out, text);
	return out;
}

} // namespace

TEST_CASE("a JSON string escapes what JSON wants escaped, and nothing else") {
	CHECK(json("") == R"("")");
	CHECK(json("plain/päth·× 日本 \xf0\x9f\x98\x80") == "\"plain/päth·× 日本 \xf0\x9f\x98\x80\"");
	CHECK(json("a\"b\\c/d") == R"("a\"b\\c/d")");
	CHECK(json("\b\f\n\r\t") == R"("\b\f\n\r\t")");
	CHECK(json(std::string_view("\0\x01\x1b\x1f\x7f", 5)) == "\"\\u0000\\u0001\\u001b\\u001f\x7f\"");
}

TEST_CASE("each maximal part of a JSON string that is no UTF-8 becomes one U+FFFD") {
	CHECK(json("a\xff\xfe") == "\"a\uFFFD\uFFFD\"");
	CHECK(json("\xc0\xaf") == "\"\uFFFD\uFFFD\"");                     // overlong
	CHECK(json("\xed\xa0\x80") == "\"\uFFFD\uFFFD\uFFFD\"");           // surrogate
	CHECK(json("\xf4\x90\x80\x80") == "\"\uFFFD\uFFFD\uFFFD\uFFFD\""); // past U+10FFFF
	CHECK(json("\xe2\x82") == "\"\uFFFD\"");                           // cut short
	CHECK(json("\xe2\x82\"\xf0\x9f\x98z") == "\"\uFFFD\\\"\uFFFDz\"");
}

TEST_CASE("HTML keeps what is text a text") {
	CHECK(html_escaped(R"(<a href="x" id='y'>&amp;</a>)") == "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;&lt;/a&gt;");
	CHECK(html_escaped("päth") == "päth");
}

TEST_CASE("where nothing can be escaped, control characters and bytes that are no UTF-8 become question marks") {
	CHECK(with_question_marks("a\nb\x7f\xc2\x9b\xff\xe2\x82", 99) == "a?b??????");
	CHECK(with_question_marks("päth 日本", 99) == "päth 日本");
	CHECK(with_question_marks("abc", 2) == "ab");
	CHECK(with_question_marks("a日本", 2) == "a日"); // whole characters
}

TEST_CASE("what the kernel escapes in mountinfo is read back, and nothing else") {
	CHECK(unescape_octal("/mnt/a\\040b\\011\\012\\134") == "/mnt/a b\t\n\\");
	CHECK(unescape_octal("\\400 \\04 \\08x \\") == "\\400 \\04 \\08x \\"); // no byte, cut short, not octal
	CHECK(unescape_octal("").empty());
}

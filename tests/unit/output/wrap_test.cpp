// SPDX-License-Identifier: Apache-2.0
#include "output/wrap.h"

#include <string>

#include "catch.h"

using namespace loopsnoop::output;

TEST_CASE("lines are broken at blanks, and what goes on is indented") {
	CHECK(wrap_lines("short\n  also short\n", 80) == "short\n  also short\n");
	CHECK(wrap_lines("  one two three four five six seven eight nine\nnext\n", 40) ==
	      "  one two three four five six seven\n      eight nine\nnext\n");
}

TEST_CASE("a word that alone is too wide is broken, and no line is wider") {
	const std::string wrapped = wrap_lines("in " + std::string(100, 'x') + " (a.py:1)\n", 40);
	std::size_t begin = 0;
	std::size_t lines = 0;
	while (begin < wrapped.size()) {
		const std::size_t end = wrapped.find('\n', begin);
		CHECK(end - begin <= 40);
		begin = end + 1;
		lines++;
	}
	CHECK(lines >= 3);
}

TEST_CASE("colour takes no column, and narrow terminals are left alone") {
	const std::string colourful = "\x1b[1m" + std::string(38, 'x') + "\x1b[0m\n";
	CHECK(wrap_lines(colourful, 40) == colourful);
	const std::string wide(60, 'x');
	CHECK(wrap_lines(wide, 20) == wide);
}

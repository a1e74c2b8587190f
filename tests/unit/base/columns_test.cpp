// SPDX-License-Identifier: Apache-2.0
#include "base/columns.h"

#include "catch.h"

using namespace loopsnoop;

TEST_CASE("columns are counted and cut as terminals do") {
	CHECK(columns_of("a·×…") == 4);
	CHECK(columns_of("日本") == 4);
	CHECK(cut_to_columns("a·×…b", 3) == "a·×");
	CHECK(cut_to_columns("日本", 3) == "日");
	CHECK(cut_to_columns("ab", 10) == "ab");
}

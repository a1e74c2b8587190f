// SPDX-License-Identifier: Apache-2.0
#include "stacks/demangle.h"

#include <string>

#include "catch.h"

using loopsnoop::stacks::demangle;

TEST_CASE("names are shown as people write them") {
	CHECK(demangle("main") == "main");
	CHECK(demangle("_ZN6target3Job3runERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE") ==
	      "target::Job::run(std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> > const&)");
	CHECK(demangle("_ZN4core3ptr13drop_in_place17h0123456789abcdefE") == "core::ptr::drop_in_place");
	CHECK(demangle("_ZN66_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..ops..drop..Drop$GT$4drop17h0123456789abcdefE") ==
	      "<alloc::vec::Vec<T> as core::ops::drop::Drop>::drop");
	CHECK(demangle("_ZN3foo17hnothexnothexnotheE") != "foo");
}

TEST_CASE("names that are no names come back as they are") {
	CHECK(demangle("").empty());
	CHECK(demangle("_Z") == "_Z");
	CHECK(demangle("_ZN\xff\x01\x02") == "_ZN\xff\x01\x02");
	CHECK(demangle("_ZNNNNNNNNN") == "_ZNNNNNNNNN");
	CHECK(demangle("_ZN99999999999999999999aE") == "_ZN99999999999999999999aE");
	const std::string deep = "_Z1f" + std::string(1000, 'P') + "i";
	CHECK(demangle(deep).size() <= 2048);
	CHECK(demangle(std::string(100'000, 'x')).size() == 2048);
}

TEST_CASE("a name that would unfold to gigabytes stays folded") {
	// Each level holds the one before twice.
	std::string bomb = "_Z1fI1AIiiE";
	for (int i = 0; i < 60; ++i) {
		const std::string reference =
		    i == 0 ? "S_" : "S" + std::string(1, static_cast<char>(i < 11 ? '0' + i - 1 : 'A' + (i - 11) % 26)) + "_";
		bomb += "S0_I" + reference + reference + "E";
	}
	bomb += "Evv";
	CHECK(demangle(bomb) == bomb);
}

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

TEST_CASE("both of Rust's manglings, without hashes and suffixes") {
	CHECK(demangle("_RNvCs1234_7mycrate3foo") == "mycrate::foo");
	CHECK(demangle("_RNvCs1234_7mycrate3foo.llvm.9D1C9369") == "mycrate::foo");
	CHECK(demangle("_RNvXCs1234_7mycrateNtB2_3BarNtNtCs5678_4core3fmt5Debug3fmt") == "<mycrate::Bar as core::fmt::Debug>::fmt");
	CHECK(demangle("_RINvNtC3std3mem8align_ofjE") == "std::mem::align_of::<usize>");
	CHECK(demangle("_ZN5tokio4park17h0123456789abcdefE.llvm.1234567890") == "tokio::park");
	CHECK(demangle("_ZN3foo3barEv.llvm.1234567890") == "foo::bar()");
}

TEST_CASE("names of C and Go are left alone") {
	for (const char *const name : {"main.(*state).save", "runtime.futex", "epoll_wait", "_start", "Z1fv", "_Rust_is_not_this"}) {
		CHECK(demangle(name) == name);
	}
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
	std::string rust = "_RINvC1a1bTyyE";
	for (int i = 0; i < 60; ++i) {
		rust += "TB6_B6_E";
	}
	rust += "E";
	CHECK(demangle(rust) == rust);
}

TEST_CASE("deep names end soon, whatever they hold") {
	for (const std::string piece : {"N", "P", "I", "F", "X", "L", "S", "T", "J", "R", "B", "A", "G", "D"}) {
		std::string deep;
		while (deep.size() < 1000) {
			deep += piece;
		}
		CHECK(demangle("_Z" + deep).size() <= 2048);
		CHECK(demangle("_R" + deep).size() <= 2048);
		CHECK(demangle("_ZN" + deep + "E").size() <= 2048);
	}
}

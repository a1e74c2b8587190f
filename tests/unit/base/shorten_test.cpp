// SPDX-License-Identifier: Apache-2.0
#include "base/shorten.h"

#include <string>

#include "base/columns.h"
#include "catch.h"

using namespace loopsnoop;

TEST_CASE("the middle is left out") {
	CHECK(cut_middle("short", 10) == "short");
	CHECK(cut_middle("abcdefghij", 7) == "abc…hij");
	CHECK(columns_of(cut_middle("名前名前名前名前", 7)) <= 7);
}

TEST_CASE("of long names arguments go first, and only as far as they have to") {
	const std::string templates(120, 'x');
	const std::string name = "boost::asio::detail::handler<" + templates + ">::operator()(std::vector<int> const&, int)";
	CHECK(shorten(name, 500) == name);
	CHECK(
	    shorten("blocked 1.00 s: computing in " + name + " (relay.cpp:27)", 130) ==
	    "blocked 1.00 s: computing in boost::asio::detail::handler<…>::operator()(std::vector<int> const&, int) (relay.cpp:27)");
	CHECK(shorten("in " + name + " (relay.cpp:27)", 70) == "in boost::asio::detail::handler<…>::operator()(…) (relay.cpp:27)");
	CHECK(shorten("in <" + templates + " as core::fmt::Display>::fmt (main.rs:3)", 60) == "in <…>::fmt (main.rs:3)");
	// What is no name stays.
	CHECK(shorten("held by postgres (pid 812), which sleeps", 40) == "held by postgres (pid 812), which sleeps");
}

TEST_CASE("a sentence is never longer than asked for, and keeps its end") {
	std::string text = "blocked 1.00 s: waiting for a lock in ";
	text += std::string(300, 'n') + "::f<a < b";
	for (int i = 0; i < 50; i++) {
		text += " word";
	}
	text += " (app.cpp:12)";
	const std::string shorter = shorten(text, 200);
	CHECK(columns_of(shorter) <= 200);
	CHECK(shorter.starts_with("blocked 1.00 s: "));
	CHECK(shorter.ends_with("(app.cpp:12)"));
}

TEST_CASE("paths lose their beginnings before a sentence loses its middle") {
	const std::string sentence =
	    "blocked 1.35 s (still): waiting for a threading.Lock in add (/srv/releases/2026-11-29/shop/counters.py:8), held "
	    "since before the fork by /srv/releases/2026-11-29/shop/jobs/export.py:13";
	CHECK(shorten(sentence, columns_of(sentence)) == sentence);
	CHECK(shorten(sentence, 165) ==
	      "blocked 1.35 s (still): waiting for a threading.Lock in add (/srv/releases/2026-11-29/shop/counters.py:8), held "
	      "since before the fork by …/jobs/export.py:13");
	CHECK(shorten(sentence, 140) ==
	      "blocked 1.35 s (still): waiting for a threading.Lock in add (…/shop/counters.py:8), held since before the fork by "
	      "…/jobs/export.py:13");
	CHECK(shorten("file_io on / and /x and //", 20).size() <= 22);
}

TEST_CASE("what is left out of the middle of a sentence are whole words") {
	const std::string sentence = "blocked 503 ms: waiting for a pool, so they leaked, or belong to what waits for this loop";
	CHECK(shorten(sentence, 70) == "blocked 503 ms: waiting for a … to what waits for this loop");
	CHECK(shorten(std::string(200, 'a') + " b", 40) == std::string(19, 'a') + "…" + std::string(18, 'a') + " b");
}

// SPDX-License-Identifier: Apache-2.0
#include "exporter/shown_remotes.h"

#include <string>

#include "catch.h"

using namespace loopsnoop;
using exporter::ShownRemotes;

namespace {

std::string names(const ShownRemotes &remotes) {
	std::string all;
	for (const RemoteCount &one : remotes.shown()) {
		all += one.remote;
	}
	return all;
}

} // namespace

TEST_CASE("the five remotes with most connections have a series, the others one together") {
	ShownRemotes remotes;
	CHECK(remotes.others(7) == 7);
	remotes.update({{"a", 9}, {"b", 8}, {"c", 7}, {"d", 6}, {"e", 5}, {"f", 4}});
	CHECK(names(remotes) == "abcde");
	CHECK(remotes.others(40) == 5);
	CHECK(remotes.others(3) == 0); // counted at another moment: never less than none
}

TEST_CASE("who has a series keeps it until it has gone, or another has twice as many") {
	ShownRemotes remotes;
	remotes.update({{"a", 9}, {"b", 3}, {"c", 3}, {"d", 3}, {"e", 3}, {"f", 2}});
	remotes.update({{"a", 9}, {"f", 5}, {"b", 3}, {"c", 3}, {"d", 3}, {"e", 3}});
	CHECK(names(remotes) == "abcde");
	remotes.update({{"a", 9}, {"f", 6}, {"b", 3}, {"c", 3}, {"d", 3}, {"e", 3}});
	CHECK(names(remotes) == "afcde");
	remotes.update({{"f", 6}, {"b", 3}, {"d", 3}, {"g", 1}});
	CHECK(names(remotes) == "fdbg"); // the kept ones first
	remotes.update({});
	CHECK(remotes.shown().empty());
}

TEST_CASE("there may be room for fewer") {
	ShownRemotes remotes;
	remotes.update({{"a", 9}, {"b", 8}, {"c", 7}}, 2);
	CHECK(names(remotes) == "ab");
	remotes.update({{"a", 9}, {"b", 8}, {"c", 7}}, 0);
	CHECK(remotes.shown().empty());
	CHECK(remotes.others(24) == 24);
}

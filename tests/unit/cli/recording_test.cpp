// SPDX-License-Identifier: Apache-2.0
#include "cli/recording.h"

#include <unistd.h>

#include <string>

#include "catch.h"
#include "fixture.h"
#include "redirected.h"

using namespace loopsnoop;
using namespace loopsnoop::cli;

TEST_CASE("a recording has each record in a line, and in the summary what the file has lost") {
	const FixtureTree folder;
	const std::string path = folder.path("r.jsonl");
	auto file = RecordFile::open(path);
	REQUIRE(file);
	SessionStart start;
	start.version = "1";
	CHECK(write_record(*file, start, 1));
	const std::string first = read_file(path);
	CHECK(first.starts_with(R"({"type":"session")"));

	// So many stalls at once that some are left out; not so of other records.
	Stall stall;
	stall.summary = std::string(std::size_t{100} << 10, 'x');
	for (int i = 0; i < 200; i++) {
		CHECK(write_record(*file, stall, 1));
	}
	const std::uint64_t lost = file->lost();
	CHECK(lost > 0);
	CHECK(write_record(*file, ProcessFork{1, 2, 3}, 1));
	SessionSummary summary;
	summary.lost.at(static_cast<std::size_t>(Loss::unwritten)) = 1;
	CHECK(write_record(*file, summary, 1));
	CHECK(file->lost() == lost);
	const std::string all = read_file(path);
	CHECK(all.find(R"({"type":"fork")") != std::string::npos);
	CHECK(all.find("\"unwritten\":" + std::to_string(lost + 1)) != std::string::npos);

	// A file that is made again begins with the session's record, too.
	REQUIRE(::unlink(path.c_str()) == 0);
	file->maintain();
	CHECK(read_file(path) == first);
}

TEST_CASE("a record that is too large is made smaller before it is written") {
	const FixtureTree folder;
	auto file = RecordFile::open(folder.path("r.jsonl"));
	REQUIRE(file);
	Stall stall;
	stall.threads.emplace(20'000);
	for (ThreadView &thread : *stall.threads) {
		thread.thread = std::string(100, 'x');
	}
	CHECK(write_record(*file, stall, 1));
	const std::string line = read_file(folder.path("r.jsonl"));
	CHECK(line.size() <= (std::size_t{1} << 20) + 1);
	CHECK(line.find("\"left_out\":") != std::string::npos);
}

// SPDX-License-Identifier: Apache-2.0
#include "catch.h"
#include "examples.h"
#include "output/json.h"

using namespace loopsnoop;
using namespace loopsnoop::output;
using namespace loopsnoop::output::examples;

namespace {

std::string problem_of(std::string_view line) {
	const Result<std::optional<Record>> record = parse_json_line(line);
	return record ? "" : record.error().on;
}

} // namespace

TEST_CASE("what was written is read back the same") {
	SessionStart start = session();
	start.missing = {"tracefs"};
	start.not_followed = {{4711, "gunicorn", {4712, 4713}}};
	start.workers = {{812, "nginx", {813}}};
	SessionSummary end = session_summary(3);
	part_of(end.loops.front().by_cause, Cause::gil) = {4, 5};
	end.lost.at(2) = 17;
	Stall ended = database_stall(1, begin, 200 * ms);
	ended.truncated = Truncated::target_exit;
	ended.waits[0].stack_from = StackFrom::live;
	Dump computing = dump();
	computing.threads.front().sampled = true;
	computing.threads.back().no_stack = NoStack::refused;
	for (const Record &record : std::vector<Record>{
	         start, loop(), LoopFound{}, full_stall(), ended, Stall{}, ProcessExit{1, 2, 3, "SIGHUP"}, ProcessExit{1, 2, -1, {}},
	         ProcessExec{1, 2, "git"}, ProcessFork{1, 2, 3}, dump(), computing, Dump{}, end}) {
		const std::string line = to_json_line(record);
		INFO(line);
		const Result<std::optional<Record>> read = parse_json_line(line);
		REQUIRE(read.ok());
		REQUIRE(read.value().has_value());
		CHECK(read.value()->index() == record.index());
		CHECK(to_json_line(*read.value()) == line);
	}
}

TEST_CASE("files of newer versions are read: what is not known is passed over") {
	CHECK(parse_json_line(R"({"type":"quantum","pid":"?"})").ok());
	CHECK_FALSE(parse_json_line(R"({"type":"quantum"})").value().has_value());
	const auto record = parse_json_line(
	    R"({"new":[1],"type":"stall","id":1,"phase":"ended","start_ns":1,"duration_ns":2,"pid":3,"tid":4,"cause":"gravity",)"
	    R"("breakdown":{"gravity":{"ns":5,"count":1},"other":{"ns":2,"count":1},"cpu":{"ns":1,"count":1,"x":0}},)"
	    R"("waits":[{"cause":"other","resource":{"kind":"hologram"}}]})");
	REQUIRE(record.ok());
	const auto &stall = std::get<Stall>(*record.value());
	CHECK(stall.cause == Cause::other);
	CHECK(part_of(stall.breakdown, Cause::other).ns == 7);
	CHECK(part_of(stall.breakdown, Cause::cpu).ns == 1);
	CHECK_FALSE(stall.waits.at(0).resource.has_value());
	CHECK_FALSE(stall.threads.has_value());
}

TEST_CASE("malformed lines give an error that says what and where") {
	CHECK(problem_of("") == "not JSON");
	CHECK(problem_of("garbage") == "not JSON");
	CHECK(problem_of(R"({"type":"fork","pid":1)") == "not JSON");
	CHECK(problem_of("{\"type\":\"fork\xff\"}") == "not JSON");
	CHECK(problem_of("[1]") == "not a JSON object");
	CHECK(problem_of("null") == "not a JSON object");
	CHECK(problem_of("{}") == "type: missing or not a string");
	CHECK(problem_of(R"({"type":5})") == "type: missing or not a string");
	CHECK(problem_of(R"({"type":"fork","child":2})") == "fork.pid: missing");
	CHECK(problem_of(R"({"type":"fork","pid":null,"child":2})") == "fork.pid: missing");
	CHECK(problem_of(R"({"type":"fork","pid":-1,"child":2})") == "fork.pid: not a 32-bit number");
	CHECK(problem_of(R"({"type":"fork","pid":4294967296,"child":2})") == "fork.pid: not a 32-bit number");
	CHECK(problem_of(R"({"type":"fork","pid":1.5,"child":2})") == "fork.pid: not a 32-bit number");
	CHECK(problem_of(R"({"type":"fork","pid":"1","child":2})") == "fork.pid: not a 32-bit number");
	CHECK(problem_of(R"({"type":"fork","pid":1,"start_ns":18446744073709551616,"child":2})") ==
	      "fork.start_ns: not a 64-bit number");
	CHECK(problem_of(R"({"type":"exit","pid":1,"status":9999999999})") == "exit.status: not a 32-bit number");
	CHECK(problem_of(R"({"type":"exit","pid":1,"signal":9})") == "exit.signal: not a string");
	CHECK(problem_of(R"({"type":"summary","duration_ns":1,"loops":{}})") == "summary.loops: not a list");
	CHECK(problem_of(R"({"type":"session","start_ns":1,"argv":["a",1]})") == "session.argv[1]: not a string");
	const std::string stall = R"({"type":"stall","id":1,"phase":"ended","start_ns":1,"duration_ns":2,"pid":3,"tid":4,)";
	CHECK(problem_of(R"({"type":"stall","id":1,"phase":"begun","start_ns":1,"duration_ns":2,"pid":3,"tid":4})") ==
	      "stall.phase: neither \"ongoing\" nor \"ended\"");
	CHECK(problem_of(stall + R"("waits":[{},7]})") == "stall.waits[1]: not an object");
	CHECK(problem_of(stall + R"("waits":[{"stack":{"native":[{"offset":70}]}}]})") ==
	      "stall.waits[0].stack.native[0].offset: not a string");
	CHECK(problem_of(stall + R"("waits":[{"stack":{"native":[{"offset":"70"}]}}]})") ==
	      "stall.waits[0].stack.native[0].offset: not a hexadecimal number");
	CHECK(problem_of(stall + R"("waits":[{"stack":{"kernel":[{"offset":"0x1ffffffffffffffff"}]}}]})") ==
	      "stall.waits[0].stack.kernel[0].offset: not a hexadecimal number");
	CHECK(problem_of(stall + R"("breakdown":[]})") == "stall.breakdown: not an object");
	CHECK(problem_of(stall + R"("deadlock":"x"})") == "stall.deadlock: not a list");
}

TEST_CASE("hostile nesting and numbers are refused quickly") {
	CHECK(problem_of(std::string(5'000'000, '[')) == "nested deeper than 64 levels");
	std::string nested = R"({"type":"stall","waits":)";
	for (int i = 0; i < 100'000; i++) {
		nested += R"({"kind":"fds","fds":[)";
	}
	CHECK(problem_of(nested) == "nested deeper than 64 levels");
	CHECK(problem_of(R"({"type":"fork","pid":1e999999,"child":2})") == "not JSON");
	CHECK(problem_of(R"({"type":"fork","pid":)" + std::string(100'000, '9') + R"(,"child":2})") == "not JSON");
	CHECK(problem_of(
	          R"({"type":"exec","pid":1,"comm":"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"[["})")
	          .empty());
}

TEST_CASE("every beginning of a line, and a line with any byte changed, is read or refused without harm") {
	const std::string line = to_json_line(full_stall());
	for (std::size_t i = 0; i < line.size(); i++) {
		CHECK_FALSE(parse_json_line(line.substr(0, i)).ok());
		std::string changed = line;
		changed[i] = static_cast<char>(changed[i] ^ 0x11);
		(void)parse_json_line(changed).ok();
	}
}

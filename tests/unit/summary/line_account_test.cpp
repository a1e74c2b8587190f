// SPDX-License-Identifier: Apache-2.0
#include "summary/line_account.h"

#include "analysis/stalls.h"
#include "catch.h"
#include "summary/resource.h"

using namespace loopsnoop;
using namespace loopsnoop::summary;
using namespace loopsnoop::analysis_test;

namespace {

constexpr std::uint64_t ms = 1'000'000;

Wait on(std::string remote, std::string comm, int line, std::uint64_t ns) {
	Wait one = wait(Cause::socket, "recvfrom", 0, ns, {library(), application(line)});
	SocketResource socket;
	socket.protocol = "tcp";
	socket.remote = std::move(remote);
	socket.peer = Peer{7, std::move(comm)};
	one.resource = Resource{socket};
	return one;
}

Stall stall_of(std::vector<Wait> waits) {
	Stall stall;
	stall.cause = Cause::socket;
	for (const Wait &one : waits) {
		stall.duration_ns += one.duration_ns;
	}
	stall.waits = std::move(waits);
	return stall;
}

} // namespace

TEST_CASE("two lines of one stall have a part each, also the one that is not its culprit") {
	LineAccount account;
	account.add(stall_of({on("127.0.0.1:5432", "postgres", 57, 300 * ms), on("127.0.0.1:6379", "redis-server", 18, 20 * ms)}));
	account.add(stall_of({on("127.0.0.1:5432", "postgres", 57, 100 * ms), on("127.0.0.1:5432", "postgres", 57, 50 * ms)}));
	const auto lines = account.lines();
	REQUIRE(lines.size() == 2);
	CHECK(lines[0].line.line == 57);
	CHECK(lines[0].on == "127.0.0.1:5432 of postgres (pid 7)");
	CHECK(lines[0].stalls == 2);
	CHECK(lines[0].count == 3);
	CHECK(lines[0].ns == 450 * ms);
	CHECK(lines[0].longest_ns == 300 * ms);
	CHECK(lines[1].line.line == 18);
	CHECK(lines[1].stalls == 1);
	CHECK(lines[1].ns == 20 * ms);
}

TEST_CASE("what nothing explains is the culprit's, when it is the greater part") {
	LineAccount account;
	Stall stall;
	stall.cause = Cause::runqueue;
	stall.duration_ns = 500 * ms;
	stall.culprit = application(9);
	stall.cpu.push_back(CpuPart{2, 10 * ms, Stack{{application(9)}, {}, {}, {}, false}});
	account.add(stall);
	const auto lines = account.lines();
	REQUIRE(lines.size() == 2);
	CHECK(lines[0].cause == Cause::runqueue);
	CHECK(lines[0].ns == 490 * ms);
	CHECK(lines[1].cause == Cause::cpu);
	CHECK(lines[1].count == 2);
}

TEST_CASE("a stack without any line of the application has its innermost frame's name, or none") {
	LineAccount account;
	account.add(stall_of({wait(Cause::socket, "recvfrom", 0, 5 * ms, {library()})}));
	Stall bare;
	bare.cause = Cause::file_io;
	bare.duration_ns = 100 * ms;
	account.add(bare);
	const auto lines = account.lines();
	REQUIRE(lines.size() == 2);
	CHECK(lines[0].line.function.empty());
	CHECK(lines[0].cause == Cause::file_io);
	CHECK(lines[1].line.function == "get");
}

TEST_CASE("the account is bounded") {
	LineAccount account;
	for (int i = 0; i < 3000; i++) {
		account.add(stall_of({on("127.0.0.1:1", "x", i, ms)}));
	}
	CHECK(account.lines(~std::size_t{0}).size() == LineAccount::max_lines);
	CHECK(account.lines().size() == LineAccount::max_shown);
}

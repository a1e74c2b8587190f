// SPDX-License-Identifier: Apache-2.0
#include "foreign/dead_places.h"

#include "catch.h"

using namespace loopsnoop::foreign;

namespace {

Unanswered file_on(std::uint64_t device, std::string path) {
	Unanswered dead;
	dead.pid = 7;
	dead.path = std::move(path);
	dead.device = device;
	dead.file_system = device != 0 ? "nfs a:/b (mounted at /srv)" : "";
	return dead;
}

Unanswered memory_at(std::uint64_t begin, std::uint64_t end) {
	Unanswered dead;
	dead.pid = 7;
	dead.begin = begin;
	dead.end = end;
	return dead;
}

} // namespace

TEST_CASE("a dead file system is dead until who waits there is back") {
	DeadPlaces dead;
	CHECK_FALSE(dead.any());
	dead.add(1, file_on(52, "/srv/a"));
	dead.add(2, file_on(52, "/srv/b"));
	CHECK(dead.any());
	REQUIRE(dead.device(52) != nullptr);
	CHECK(dead.device(53) == nullptr);
	CHECK(dead.device(0) == nullptr);
	CHECK(dead.path(7, "/srv/a") == nullptr); // that is the device's
	REQUIRE(dead.history().size() == 1);
	CHECK(dead.history()[0].sentence() == "/srv/a is on nfs a:/b (mounted at /srv), which does not answer");
	dead.answered(1);
	CHECK(dead.device(52) != nullptr); // another one still waits
	CHECK(dead.history()[0].now);
	dead.answered(2);
	CHECK_FALSE(dead.any());
	CHECK(dead.history()[0].sentence() == "/srv/a is on nfs a:/b (mounted at /srv), which did not answer for a while");
	dead.add(3, file_on(52, "/srv/c"));
	CHECK(dead.history().size() == 1);
	CHECK(dead.history()[0].now);
}

TEST_CASE("of a disk that needs no server the path alone is dead") {
	DeadPlaces dead;
	dead.add(1, file_on(0, "/etc/x"));
	CHECK(dead.path(7, "/etc/x") != nullptr);
	CHECK(dead.path(8, "/etc/x") == nullptr);
	CHECK(dead.path(7, "/etc/y") == nullptr);
	CHECK(dead.path(7, "") == nullptr);
	CHECK(dead.history()[0].sentence() == "/etc/x does not answer");
}

TEST_CASE("a part of a process's memory is dead, after three all of it") {
	DeadPlaces dead;
	dead.add(1, memory_at(0x1000, 0x2000));
	CHECK(dead.memory(7, 0x1fff, 0x3000) != nullptr);
	CHECK(dead.memory(7, 0x2000, 0x3000) == nullptr);
	CHECK(dead.memory(8, 0x1000, 0x2000) == nullptr);
	CHECK(dead.path(7, "") == nullptr);
	dead.add(2, memory_at(0x5000, 0x6000));
	CHECK(dead.memory(7, 0x9000, 0xa000) == nullptr);
	dead.add(3, memory_at(0x7000, 0x8000));
	CHECK(dead.memory(7, 0x9000, 0xa000) != nullptr);
	CHECK(dead.history().size() == 1);
	CHECK(dead.history()[0].sentence() == "memory of process 7 at 0x1000 does not answer");
}

TEST_CASE("where the waiting one was killed it is tried again after half a minute") {
	DeadPlaces dead;
	dead.add(1, file_on(52, "/srv/a"));
	dead.died(1, 1000);
	dead.forget_expired(1000 + DeadPlaces::retry_ns - 1);
	CHECK(dead.device(52) != nullptr);
	dead.forget_expired(1000 + DeadPlaces::retry_ns);
	CHECK(dead.device(52) == nullptr);
	dead.answered(99); // of nobody
}

TEST_CASE("what is remembered is bounded") {
	DeadPlaces dead;
	for (std::uint64_t i = 1; i <= 1000; i++) {
		dead.add(i, file_on(i, "/x"));
	}
	CHECK(dead.history().size() == DeadPlaces::max_places);
	CHECK(dead.device(1) == nullptr);
	CHECK(dead.device(1000) != nullptr);
}

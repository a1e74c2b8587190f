// SPDX-License-Identifier: Apache-2.0
#include "process/file_locks.h"

#include <sys/sysmacros.h>

#include "catch.h"
#include "fixture.h"

using namespace loopsnoop;
using namespace loopsnoop::process;

TEST_CASE("lines of /proc/locks") {
	const auto held = parse_file_lock("7: FLOCK  ADVISORY  WRITE 812 fe:00:5678 0 EOF");
	REQUIRE(held);
	CHECK(held->number == 7);
	CHECK_FALSE(held->waits);
	CHECK(held->pid == 812);
	CHECK(held->inode == 5678);
	CHECK(held->device == makedev(0xfe, 0));
	CHECK(held->writes);
	CHECK(held->start == 0);
	const auto waits = parse_file_lock("7:    -> POSIX  ADVISORY  READ  4711 00:1f:9 128 255");
	REQUIRE(waits);
	CHECK(waits->waits);
	CHECK(waits->pid == 4711);
	CHECK(waits->device == makedev(0, 0x1f));
	CHECK_FALSE(waits->writes);
	CHECK(waits->start == 128);
	const auto of_description = parse_file_lock("8: OFDLCK ADVISORY  WRITE -1 fe:00:5678 0 EOF");
	REQUIRE(of_description);
	CHECK(of_description->pid == -1);
	for (const char *broken :
	     {"", "7", "7:", "7: ->", "x: FLOCK ADVISORY WRITE 1 a:b:1 0 EOF", "7: FLOCK ADVISORY WRITE one a:b:1 0 EOF",
	      "7: FLOCK ADVISORY WRITE 1 ab 0 EOF", "7: FLOCK ADVISORY WRITE 1 a:b: 0 EOF", "7: FLOCK ADVISORY WRITE 1 a:b:1",
	      "7: FLOCK ADVISORY WRITE 1 a:b:1 EOF"}) {
		CHECK_FALSE(parse_file_lock(broken));
	}
}

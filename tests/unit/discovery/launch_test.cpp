// SPDX-License-Identifier: Apache-2.0
#include "discovery/launch.h"

#include <sys/wait.h>
#include <unistd.h>

#include "catch.h"

using loopsnoop::discovery::Launch;

namespace {

// Until it has ended; a program that does nothing takes milliseconds.
std::optional<int> wait_for(Launch &launch) {
	for (int i = 0; i < 1000 && !launch.status(); i++) {
		usleep(10'000);
	}
	return launch.status();
}

} // namespace

TEST_CASE("a command is held until it is let go, and its wait status is kept") {
	auto launch = Launch::fork({"/bin/sh", "-c", "exit 7"});
	REQUIRE(launch);
	CHECK(launch->pid() > 0);
	CHECK_FALSE(launch->status());
	REQUIRE(launch->go());
	const auto status = wait_for(*launch);
	REQUIRE(status);
	CHECK(WIFEXITED(*status));
	CHECK(WEXITSTATUS(*status) == 7);
	CHECK(launch->status() == status);
}

TEST_CASE("a command that cannot be run is an error") {
	auto launch = Launch::fork({"/no/such/program"});
	REQUIRE(launch);
	const auto gone = launch->go();
	REQUIRE_FALSE(gone);
	CHECK(gone.error().describe().find("/no/such/program") != std::string::npos);
}

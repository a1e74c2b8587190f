// SPDX-License-Identifier: Apache-2.0
#include "cli/exit_status.h"

#include <csignal>

#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::cli;

TEST_CASE("the exit status is the command's where that is not 0, else 3 after a stall where that was asked for") {
	Settings settings;
	session::FollowEnd end;
	CHECK(exit_status(settings, end) == 0);
	end.stalls = 5;
	CHECK(exit_status(settings, end) == 0);
	settings.fail_on_stall = true;
	CHECK(exit_status(settings, end) == 3);
	end.command_status = 0;
	CHECK(exit_status(settings, end) == 3);
	end.command_status = 7 << 8;
	CHECK(exit_status(settings, end) == 7);
	end.command_status = SIGKILL;
	CHECK(exit_status(settings, end) == 128 + SIGKILL);
	end.stalls = 0;
	end.command_status.reset();
	CHECK(exit_status(settings, end) == 0);
}

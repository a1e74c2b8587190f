// SPDX-License-Identifier: Apache-2.0
#include "cli/exit_status.h"

#include <sys/wait.h>

namespace loopsnoop::cli {

namespace {

int status_of_command(int wait_status) {
	constexpr int signal_base = 128; // as a shell has it
	return WIFSIGNALED(wait_status) ? signal_base + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

} // namespace

int exit_status(const Settings &settings, const session::FollowEnd &end) {
	constexpr int stall_status = 3;
	const int of_command = end.command_status ? status_of_command(*end.command_status) : 0;
	if (of_command != 0) {
		return of_command;
	}
	return settings.fail_on_stall && end.stalls > 0 ? stall_status : 0;
}

} // namespace loopsnoop::cli

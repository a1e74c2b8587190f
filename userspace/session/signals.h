// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"

namespace loopsnoop::session {

// Blocks SIGINT, SIGTERM, SIGHUP, SIGCHLD and SIGWINCH in the calling thread and those that it starts from now on, ignores
// SIGPIPE; a descriptor that is readable when one of them has come.
[[nodiscard]] Result<UniqueFd> take_signals();

struct Signals {
	bool stop = false;
	int forward = 0; // sent by a process, not by the terminal: the command has not got it
	bool winch = false;
	bool hangup = false; // SIGHUP from a process, besides `stop`: a service is asked to open its files again
};

// Those that have come; does not wait.
[[nodiscard]] Signals read_signals(int fd);

} // namespace loopsnoop::session

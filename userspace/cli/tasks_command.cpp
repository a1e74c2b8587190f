// SPDX-License-Identifier: Apache-2.0
#include "cli/snapshot_command.h"

namespace loopsnoop::cli {

Command tasks_command(CLI::App &root) {
	return snapshot_command<TasksOptions>(
	    root, {"tasks", "every frame, and every task by itself",
	           R"help(A snapshot of every task of a process's asyncio and Trio loops, and of every greenlet of gevent's: where it
stands, what it waits for and until when, who probably holds that, and which task awaits which. The process is
not stopped; nothing is loaded into the kernel.

  loopsnoop tasks -p "$(pgrep -nx uvicorn)"
  loopsnoop tasks -p "$(pgrep -nx uvicorn)" --json
)help",
	           R"help(A tree: below a task are the tasks that it awaits. Branches that are alike in all but their names are one.
CPython 3.9 to 3.15, with asyncio's own loop, uvloop, Trio or gevent. Of uvloop neither timers nor the sockets
of its own transports can be read: of a time-out only its block (asyncio.timeout) or what wait_for() was given.
Of a greenlet that waits in compiled code it is not known for what.
)help"});
}

} // namespace loopsnoop::cli

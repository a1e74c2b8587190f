// SPDX-License-Identifier: Apache-2.0
#include "cli/snapshot_command.h"

namespace loopsnoop::cli {

Command dump_command(CLI::App &root) {
	return snapshot_command<DumpOptions>(
	    root,
	    {"dump", "every frame, and every thread by itself",
	     R"help(A snapshot of every thread of a process: state, what it waits for, its stack. The process is not stopped.

  loopsnoop dump -p "$(pgrep -nx uvicorn)"
  loopsnoop dump -p "$(pgrep -nx uvicorn)" --json
)help",
	     R"help(The threads that matter most come first: a deadlock, who holds up others, the main thread, who runs; threads that
all wait alike come last, as one. `loopsnoop report` reads the record, too.
)help"});
}

} // namespace loopsnoop::cli

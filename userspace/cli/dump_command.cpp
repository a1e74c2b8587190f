// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/command.h"
#include "cli/declare.h"

namespace loopsnoop::cli {

Command dump_command(CLI::App &root) {
	struct Read {
		DumpOptions options;
		std::optional<std::uint32_t> pid;
		Common common;
	};
	const auto read = std::make_shared<Read>();
	CLI::App *app = root.add_subcommand("dump");
	one_pid(*app, read->pid, "the process");
	flag(*app, "-j,--json", read->options.json, with_default("as JSON, one line, to stdout", "text"));
	declare_common(*app, read->common, {}, "every frame, and every thread by itself");
	const auto help = [app] {
		return R"help(A snapshot of every thread of a process: state, what it waits for, its stack. The process is not stopped.

  loopsnoop dump -p "$(pgrep -nx uvicorn)"
  loopsnoop dump -p "$(pgrep -nx uvicorn)" --json

Usage: loopsnoop dump -p PID [--json]

)help" + help_lines(*app, "Options") +
		       R"help(
The threads that matter most come first: a deadlock, who holds up others, the main thread, who runs; threads that
all wait alike come last, as one. `loopsnoop report` reads the record, too.

Exit status: 0, or 1 when it could not be done.
)help";
	};
	const auto finish = [read]() -> Parsed {
		if (!read->pid) {
			return wrong("dump needs a process: -p PID");
		}
		read->options.pid = *read->pid;
		read->options.verbosity = read->common.verbosity();
		return read->options;
	};
	return {app, "dump -p PID", "give the process as -p PID", help, finish};
}

} // namespace loopsnoop::cli

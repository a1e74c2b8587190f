// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/command.h"
#include "cli/declare.h"

namespace loopsnoop::cli {

Command tasks_command(CLI::App &root) {
	struct Read {
		TasksOptions options;
		std::optional<std::uint32_t> pid;
		Common common;
	};
	const auto read = std::make_shared<Read>();
	CLI::App *app = root.add_subcommand("tasks");
	one_pid(*app, read->pid, "the process");
	flag(*app, "-j,--json", read->options.json, with_default("as JSON, one line, to stdout", "text"));
	declare_common(*app, read->common, {}, "every frame, and every task by itself");
	const auto help = [app] {
		return R"help(A snapshot of every task of a process's asyncio and Trio loops: where it stands, what it waits for and until when,
who probably holds that, and which task awaits which. The process is not stopped; nothing is loaded into the kernel.

  loopsnoop tasks -p "$(pgrep -nx uvicorn)"
  loopsnoop tasks -p "$(pgrep -nx uvicorn)" --json

Usage: loopsnoop tasks -p PID [--json]

)help" + help_lines(*app, "Options") +
		       R"help(
A tree: below a task are the tasks that it awaits. Branches that are alike in all but their names are one.
CPython 3.9 to 3.15, with asyncio's own loop, uvloop or Trio.

Exit status: 0, or 1 when it could not be done.
)help";
	};
	const auto finish = [read]() -> Parsed {
		if (!read->pid) {
			return wrong("tasks needs a process: -p PID");
		}
		read->options.pid = *read->pid;
		read->options.verbosity = read->common.verbosity();
		return read->options;
	};
	return {app, "tasks -p PID", "give the process as -p PID", help, finish};
}

} // namespace loopsnoop::cli

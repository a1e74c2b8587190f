// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/command.h"
#include "cli/declare.h"

namespace loopsnoop::cli {

Command doctor_command(CLI::App &root) {
	struct Read {
		DoctorOptions options;
		Common common;
	};
	const auto read = std::make_shared<Read>();
	CLI::App *app = root.add_subcommand("doctor");
	one_pid(*app, read->options.process, "check this process, too: runtime, symbols, namespaces");
	declare_common(*app, read->common, "only what is missing", "what was tried, and what the kernel said");
	const auto help = [app] {
		return R"help(What this machine, and one process, allow loopsnoop to see, and what to do about the rest.

  loopsnoop doctor
  loopsnoop doctor -p "$(pgrep -nx uvicorn)"

Usage: loopsnoop doctor [-p PID]

)help" + help_lines(*app, "Options") +
		       R"help(
Exit status: 0 when following would work, with or without things missing; 1 when it would not.
)help";
	};
	const auto finish = [read]() -> Parsed {
		read->options.verbosity = read->common.verbosity();
		return read->options;
	};
	return {app, "doctor [-p PID]", "give the process as -p PID", help, finish};
}

} // namespace loopsnoop::cli

// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/command.h"
#include "cli/declare.h"

namespace loopsnoop::cli {

Command report_command(CLI::App &root) {
	struct Read {
		ReportOptions options;
		Common common;
	};
	const auto read = std::make_shared<Read>();
	CLI::App *app = root.add_subcommand("report");
	app->add_option("FILE", read->options.file);
	declare_common(*app, read->common, "one line a stall, no stacks", "every frame and wait");
	const auto help = [app] {
		return R"help(Read a JSON Lines recording again, as text: no root, no kernel.

  loopsnoop report stalls.jsonl
  loopsnoop report -v stalls.jsonl | less -S
  ssh server loopsnoop -p 4711 -d 1m -j | loopsnoop report -

Usage: loopsnoop report [OPTIONS] FILE       (- reads standard input)

)help" + help_lines(*app, "Options") +
		       R"help(
Exit status: 0, or 1 when FILE cannot be read or holds no record of loopsnoop.
)help";
	};
	const auto finish = [read]() -> Parsed {
		if (read->options.file.empty()) {
			return wrong("report needs a FILE, as --json wrote it (- for standard input)");
		}
		read->options.verbosity = read->common.verbosity();
		return read->options;
	};
	return {app, "report FILE", "report reads one FILE", help, finish};
}

} // namespace loopsnoop::cli

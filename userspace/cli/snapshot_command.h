// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/declare.h"

namespace loopsnoop::cli {

struct SnapshotWords {
	std::string name;
	std::string verbose; // what --verbose adds
	std::string head;    // of the help, down to the examples
	std::string tail;    // what the help says after the options
};

// A subcommand that takes a snapshot of one process: -p PID, which it needs, --json, --verbose, --help. Options: DumpOptions and
// its like.
template <typename Options> [[nodiscard]] Command snapshot_command(CLI::App &root, const SnapshotWords &words) {
	struct Read {
		Options options;
		Common common;
	};
	const auto read = std::make_shared<Read>();
	CLI::App *app = root.add_subcommand(words.name);
	one_pid(*app, read->options.process, "the process");
	flag(*app, "-j,--json", read->options.json, with_default("as JSON, one line, to stdout", "text"));
	declare_common(*app, read->common, {}, words.verbose);
	const auto help = [app, words] {
		return fmt::format("{}\nUsage: loopsnoop {} -p PID [--json]\n\n{}\n{}\nExit status: 0, or 1 when it could not be done.\n",
		                   words.head, words.name, help_lines(*app, "Options"), words.tail);
	};
	const auto finish = [read, name = words.name]() -> Parsed {
		if (!read->options.process.given()) {
			return wrong(fmt::format("{} needs a process: -p PID", name));
		}
		read->options.verbosity = read->common.verbosity();
		return read->options;
	};
	return {app, words.name + " -p PID", "give the process as -p PID", help, finish};
}

} // namespace loopsnoop::cli

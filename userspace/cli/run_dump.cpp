// SPDX-License-Identifier: Apache-2.0
#include "cli/run_dump.h"

#include <unistd.h>

#include <csignal>
#include <optional>
#include <string>

#include "analysis/stuck_tasks.h"
#include "cli/fail.h"
#include "cli/named_process.h"
#include "cli/record_writer.h"
#include "cli/unanswered.h"
#include "inspect/dump.h"
#include "inspect/tasks.h"
#include "output/dump_text.h"
#include "output/json.h"
#include "output/record_limit.h"
#include "output/terminal.h"
#include "output/wrap.h"

namespace loopsnoop::cli {

namespace {

std::string json_line(const Dump &dump) {
	const std::optional<Record> smaller = output::limited(dump);
	return output::to_json_line(smaller ? *smaller : Record(dump));
}

} // namespace

int run_dump(const DumpOptions &options) {
	(void)std::signal(SIGPIPE, SIG_IGN); // a reader that has gone (`| head`) is no error
	const bool verbose = options.verbosity == Verbosity::verbose;
	const Result<std::uint32_t> pid = pid_of(options.process);
	if (!pid) {
		return fail(pid.error());
	}
	inspect::DumpSettings settings;
	settings.pid = pid.value();
	auto dump = inspect::dump(settings);
	if (!dump) {
		print_unanswered();
		return fail(dump.error());
	}
	LineWriter out = LineWriter::on(STDOUT_FILENO);
	const output::TextOptions terminal = output::text_options_for(STDOUT_FILENO);
	const output::StallStyle style{output::Palette{terminal.colour}, verbose};
	if (const auto snapshot = inspect::read_tasks_of(settings.pid)) {
		for (const TaskLoop &loop : snapshot->loops) {
			dump->loops.push_back(analysis::in_short(loop));
		}
	}
	const std::string text = options.json ? json_line(*dump) + "\n" : output::dump_text(*dump, style);
	(void)out.write(terminal.wrap && !options.json ? output::wrap_lines(text, terminal.columns) : text);
	print_unanswered();
	return out.error() ? fail(*out.error()) : 0;
}

} // namespace loopsnoop::cli

// SPDX-License-Identifier: Apache-2.0
#include "cli/run_tasks.h"

#include <unistd.h>

#include <csignal>

#include "cli/fail.h"
#include "cli/named_process.h"
#include "cli/record_writer.h"
#include "inspect/tasks.h"
#include "output/json.h"
#include "output/tasks_text.h"
#include "output/terminal.h"
#include "output/wrap.h"

namespace loopsnoop::cli {

int run_tasks(const TasksOptions &options) {
	(void)std::signal(SIGPIPE, SIG_IGN); // a reader that has gone (`| head`) is no error
	const Result<std::uint32_t> pid = pid_of(options.process);
	if (!pid) {
		return fail(pid.error());
	}
	const auto tasks = inspect::read_tasks_of(pid.value());
	if (!tasks) {
		return fail(tasks.error());
	}
	LineWriter out = LineWriter::on(STDOUT_FILENO);
	const output::TextOptions terminal = output::text_options_for(STDOUT_FILENO);
	const output::StallStyle style{output::Palette{terminal.colour}, options.verbosity == Verbosity::verbose};
	const std::string text = options.json ? output::to_json_line(*tasks) + "\n" : output::tasks_text(*tasks, style);
	(void)out.write(terminal.wrap && !options.json ? output::wrap_lines(text, terminal.columns) : text);
	return out.error() ? fail(*out.error()) : 0;
}

} // namespace loopsnoop::cli

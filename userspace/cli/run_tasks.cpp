// SPDX-License-Identifier: Apache-2.0
#include "cli/run_tasks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "cli/record_writer.h"
#include "inspect/tasks.h"
#include "output/json.h"
#include "output/tasks_text.h"
#include "output/terminal.h"

namespace loopsnoop::cli {

namespace {

int fail(const Error &error) {
	fmt::print(stderr, "loopsnoop: {}\n", error.describe());
	return 1;
}

} // namespace

int run_tasks(const TasksOptions &options) {
	(void)std::signal(SIGPIPE, SIG_IGN); // a reader that has gone (`| head`) is no error
	const auto tasks = inspect::read_tasks_of(options.pid);
	if (!tasks) {
		return fail(tasks.error());
	}
	LineWriter out = LineWriter::on(STDOUT_FILENO);
	const output::StallStyle style{output::Palette{output::text_options_for(STDOUT_FILENO).colour},
	                               options.verbosity == Verbosity::verbose};
	(void)out.write(options.json ? output::to_json_line(*tasks) + "\n" : output::tasks_text(*tasks, style));
	return out.error() ? fail(*out.error()) : 0;
}

} // namespace loopsnoop::cli

// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <variant>

#include "cli/options.h"
#include "cli/report.h"
#include "cli/run_doctor.h"
#include "cli/run_dump.h"
#include "cli/run_follow.h"
#include "cli/run_tasks.h"

namespace {

using namespace loopsnoop;

struct Run {
	int operator()(const Settings &settings) const { return cli::run_follow(settings); }
	int operator()(const cli::ReportOptions &options) const { return cli::run_report(options); }
	int operator()(const cli::DoctorOptions &options) const { return cli::run_doctor(options); }
	int operator()(const cli::DumpOptions &options) const { return cli::run_dump(options); }
	int operator()(const cli::TasksOptions &options) const { return cli::run_tasks(options); }
	int operator()(const cli::Exit &exit) const {
		fmt::print(exit.to_stderr ? stderr : stdout, "{}", exit.text);
		return exit.status;
	}
};

} // namespace

int main(int argc, char *argv[]) {
	try {
		return std::visit(Run{}, cli::parse(argc, argv));
	} catch (const std::exception &error) {
		// Nothing of ours throws; memory may run out.
		(void)std::fputs("loopsnoop: cannot go on: ", stderr);
		(void)std::fputs(error.what(), stderr);
		(void)std::fputs("\n", stderr);
		return 1;
	}
}

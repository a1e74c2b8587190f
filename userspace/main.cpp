// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdio>
#include <exception>
#include <functional>
#include <variant>

#include "base/confinement.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/run_doctor.h"
#include "cli/run_dump.h"
#include "cli/run_follow.h"
#include "cli/run_tasks.h"
#include "foreign/access.h"

namespace {

using namespace loopsnoop;

// What reads processes does so through helpers, which are forked before there are threads or anything else to inherit.
int with_helpers(const std::function<int()> &run) {
	const foreign::RunningHelpers until_the_end;
	if (const auto started = foreign::start_helpers(); !started) {
		fmt::print(stderr, "loopsnoop: {}\n", started.error().describe());
		return 1;
	}
	return run();
}

struct Run {
	int operator()(const Settings &settings) const {
		return with_helpers([&] { return cli::run_follow(settings); });
	}
	// These read what others have written from the first line on, and run no program; so do their helpers, which are forked from
	// what is confined already. Where the kernel has no seccomp they do it as they are.
	int operator()(const cli::ReportOptions &options) const { return (void)confine(), cli::run_report(options); }
	int operator()(const cli::DoctorOptions &options) const {
		(void)confine();
		return with_helpers([&] { return cli::run_doctor(options); });
	}
	int operator()(const cli::DumpOptions &options) const {
		(void)confine();
		return with_helpers([&] { return cli::run_dump(options); });
	}
	int operator()(const cli::TasksOptions &options) const {
		(void)confine();
		return with_helpers([&] { return cli::run_tasks(options); });
	}
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

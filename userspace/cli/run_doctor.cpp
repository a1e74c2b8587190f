// SPDX-License-Identifier: Apache-2.0
#include "cli/run_doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "cli/doctor_text.h"
#include "cli/fail.h"
#include "cli/named_process.h"
#include "cli/unanswered.h"
#include "doctor/doctor.h"
#include "output/terminal.h"

namespace loopsnoop::cli {

int run_doctor(const DoctorOptions &options) {
	const bool verbose = options.verbosity == Verbosity::verbose;
	std::optional<std::uint32_t> pid;
	if (options.process.given()) {
		const Result<std::uint32_t> found = pid_of(options.process);
		if (!found) {
			return fail(found.error());
		}
		pid = found.value();
	}
	const std::vector<doctor::Check> checks = doctor::examine(pid, verbose);
	const output::Palette palette{output::text_options_for(STDOUT_FILENO).colour};
	fmt::print("{}", doctor_text(checks, options.verbosity, palette));
	print_unanswered();
	return doctor::conclude(checks).works ? 0 : 1;
}

} // namespace loopsnoop::cli

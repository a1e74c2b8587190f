// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "model/settings.h"

namespace loopsnoop::cli {

struct ReportOptions {
	std::string file; // "-": stdin
	Verbosity verbosity = Verbosity::normal;
};

// One process, by number or by what people call it; neither: none was given.
struct ProcessChoice {
	std::optional<std::uint32_t> pid;
	std::string name;
	[[nodiscard]] bool given() const { return pid.has_value() || !name.empty(); }
};

struct DoctorOptions {
	ProcessChoice process;
	Verbosity verbosity = Verbosity::normal;
};

struct DumpOptions {
	ProcessChoice process;
	bool json = false;
	Verbosity verbosity = Verbosity::normal;
};

struct TasksOptions {
	ProcessChoice process;
	bool json = false;
	Verbosity verbosity = Verbosity::normal;
};

// Nothing to do but print this and leave: help, version, or a wrong command line (status 2).
struct Exit {
	int status = 0;
	std::string text; // ends in a newline
	bool to_stderr = false;
};

using Parsed = std::variant<Settings, ReportOptions, DoctorOptions, DumpOptions, TasksOptions, Exit>;

// Never throws and reads nothing but its arguments.
[[nodiscard]] Parsed parse(int argc, const char *const *argv);

} // namespace loopsnoop::cli

// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/help.h"
#include "cli/options.h"
#include "cli/parse_follow.h"
#include "cli/values.h"
#include "cli/words.h"

namespace loopsnoop::cli {

namespace {

Parsed parse_report(std::vector<std::string> arguments) {
	Words words(std::move(arguments));
	if (std::optional<Exit> exit = words.read()) {
		return *exit;
	}
	if (words.help()) {
		return say(report_help());
	}
	const std::vector<std::string> files = words.rest();
	if (files.size() != 1 || files.front().empty()) {
		return wrong(files.empty() ? "report needs a FILE, as --json wrote it (- for standard input)" : "report reads one FILE");
	}
	return ReportOptions{files.front(), words.verbosity()};
}

// The one process that doctor and dump look at; nullopt in the value: none given.
Result<std::optional<std::uint32_t>> one_pid(const Value &value, const Words &words) {
	if (const std::vector<std::string> rest = words.rest(); !rest.empty()) {
		return Error{fmt::format("'{}' is not expected here; give the process as -p PID", rest.front()), {}, 0, {}};
	}
	std::vector<std::uint32_t> pids;
	for (const std::string &text : value.given) {
		if (Result<void> added = add_ids("--pid", text, pids); !added) {
			return added.error();
		}
	}
	if (pids.size() > 1) {
		return Error{"--pid: one process at a time", {}, 0, {}};
	}
	return pids.empty() ? std::optional<std::uint32_t>{} : pids.front();
}

Parsed parse_doctor(std::vector<std::string> arguments) {
	Words words(std::move(arguments));
	Value pid;
	words.option(pid, "-p,--pid", "PID");
	if (std::optional<Exit> exit = words.read()) {
		return *exit;
	}
	if (words.help()) {
		return say(doctor_help());
	}
	const Result<std::optional<std::uint32_t>> process = one_pid(pid, words);
	if (!process) {
		return wrong(process.error().what);
	}
	return DoctorOptions{*process, words.verbosity()};
}

Parsed parse_dump(std::vector<std::string> arguments) {
	Words words(std::move(arguments));
	Value pid;
	bool json = false;
	words.option(pid, "-p,--pid", "PID");
	words.flag("-j,--json", json);
	if (std::optional<Exit> exit = words.read()) {
		return *exit;
	}
	if (words.help()) {
		return say(dump_help());
	}
	const Result<std::optional<std::uint32_t>> process = one_pid(pid, words);
	if (!process) {
		return wrong(process.error().what);
	}
	if (!process.value()) {
		return wrong("dump needs a process: -p PID");
	}
	return DumpOptions{*process.value(), json, words.verbosity()};
}

} // namespace

Parsed parse(int argc, const char *const *argv) {
	const std::vector<std::string> arguments(argv, argv + std::max(argc, 0));
	if (arguments.size() < 2) {
		return Exit{2, follow_help(false), true};
	}
	try {
		const std::vector<std::string> after(arguments.begin() + 2, arguments.end());
		if (arguments[1] == "report") {
			return parse_report(after);
		}
		if (arguments[1] == "doctor") {
			return parse_doctor(after);
		}
		if (arguments[1] == "dump") {
			return parse_dump(after);
		}
		return parse_follow(arguments);
	} catch (const std::exception &failure) { // CLI11 throws on what it was not made for
		return wrong(failure.what());
	}
}

} // namespace loopsnoop::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/options.h"
#include "cli/values.h"
#include "model/settings.h"

namespace loopsnoop::cli {

// Declares an option: its names ("-p,--pid"), what it sets, and its words in the help. The unit ("PID") is CLI11's type name.
// What is wrong with a value is thrown as CLI::ValidationError, one whole line. Targets outlive the parsing.
//
// `text` of the help is wrapped; a default is part of it, see `with_default`.

CLI::Option *flag(CLI::App &app, const std::string &names, bool &target, const std::string &text);
// One value, taken by a function; given twice is an error.
CLI::Option *value(CLI::App &app, const std::string &names, const std::string &unit,
                   const std::function<Result<void>(const std::string &)> &take, const std::string &text);
// The same for each of several values.
CLI::Option *values(CLI::App &app, const std::string &names, const std::string &unit,
                    const std::function<Result<void>(const std::string &)> &take, const std::string &text);
CLI::Option *number(CLI::App &app, const std::string &names, const std::string &unit, std::uint32_t &target, std::uint32_t min,
                    std::uint32_t max, const std::string &text);
CLI::Option *duration(CLI::App &app, const std::string &names, std::uint64_t &target, const DurationRange &range,
                      const std::string &text);
// Processes, by number or name.
CLI::Option *pids(CLI::App &app, const std::string &names, std::vector<std::uint32_t> &target, std::vector<std::string> &named,
                  const std::string &text);
// Threads ("TID").
CLI::Option *ids(CLI::App &app, const std::string &names, const std::string &unit, std::vector<std::uint32_t> &target,
                 const std::string &text);
// One process.
CLI::Option *one_pid(CLI::App &app, ProcessChoice &target, const std::string &text);

// --quiet, --verbose and --help, which every command has; quiet_text empty: without --quiet.
struct Common {
	bool quiet = false;
	bool verbose = false;
	bool help = false;
	[[nodiscard]] Verbosity verbosity() const;
};
void declare_common(CLI::App &app, Common &common, const std::string &quiet_text, const std::string &verbose_text);

// "text (default: 100ms)".
[[nodiscard]] std::string with_default(std::string_view text, std::string_view value);
// "100ms", as --threshold takes it.
[[nodiscard]] std::string duration_default(std::uint64_t ns);

// The options of one group as lines of a help; group empty: of no group.
[[nodiscard]] std::string help_lines(const CLI::App &app, const std::string &group);

} // namespace loopsnoop::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"

namespace loopsnoop::cli {

// Status 2, one line on standard error.
[[nodiscard]] Exit wrong(std::string_view line);
// Status 0, on standard output.
[[nodiscard]] Exit show(std::string text);

// One way to use loopsnoop: its options are declared when it is made; `help` and `finish` are called after they were read. A new
// subcommand is a file with one function that makes it, that function's place in `subcommands`, and its options' place in
// `Parsed`.
struct Command {
	CLI::App *app = nullptr;
	std::string synopsis;   // as the usage of the whole has it: "dump -p PID"
	std::string_view stray; // what to do about a word that belongs to no option
	std::function<std::string()> help;
	std::function<Parsed()> finish;
};

// Follow, which has no name: `separated` are the words after "--", when there is one; `argv` the whole command line.
// `subcommands`: their synopses, for the help.
struct FollowWords {
	bool separated = false;
	std::vector<std::string> command;
	std::vector<std::string> argv;
	std::vector<std::string> subcommands;
};
[[nodiscard]] Command follow_command(CLI::App &root, FollowWords words);

[[nodiscard]] Command report_command(CLI::App &root);
[[nodiscard]] Command doctor_command(CLI::App &root);
[[nodiscard]] Command dump_command(CLI::App &root);
[[nodiscard]] Command tasks_command(CLI::App &root);

} // namespace loopsnoop::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"

namespace CLI {
class App;
}

namespace loopsnoop::cli {

// Status 2, one line on standard error.
[[nodiscard]] Exit wrong(std::string_view line);
// Status 0, on standard output.
[[nodiscard]] Exit say(std::string text);

// An option that takes one value. Collected as a list so that a second one is told, not silently taken or dropped.
struct Value {
	std::vector<std::string> given;
};

// What all subcommands have, and how each parses: CLI11 splits the words, the meaning is checked by the caller. Values and flags
// must live until they are read. CLI11 throws on what it was not made for.
class Words {
public:
	explicit Words(std::vector<std::string> arguments);
	~Words();
	Words(const Words &) = delete;
	Words &operator=(const Words &) = delete;
	Words(Words &&) = delete;
	Words &operator=(Words &&) = delete;

	// "-p,--pid", "PID".
	void option(Value &value, const std::string &names, const std::string &unit);
	void flag(const std::string &names, bool &given);

	// nullopt: all well.
	[[nodiscard]] std::optional<Exit> read();

	// What belongs to no option.
	[[nodiscard]] std::vector<std::string> rest() const;
	[[nodiscard]] bool help() const { return help_; }
	[[nodiscard]] Verbosity verbosity() const;

private:
	[[nodiscard]] Exit unknown_option(const std::string &word) const;

	std::unique_ptr<CLI::App> app_;
	std::vector<std::string> arguments_;
	bool help_ = false;
	bool quiet_ = false;
	bool verbose_ = false;
};

} // namespace loopsnoop::cli

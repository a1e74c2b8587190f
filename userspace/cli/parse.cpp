// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/escape.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/values.h"

namespace loopsnoop::cli {

namespace {

constexpr std::array subcommands{report_command, doctor_command, dump_command, tasks_command};

Exit unknown_option(const CLI::App &app, const std::string &word) {
	std::vector<std::string> names;
	for (const CLI::Option *option : app.get_options()) {
		for (const std::string &name : option->get_lnames()) {
			names.push_back("--" + name);
		}
	}
	const std::string name = word.substr(0, word.find('='));
	if (const std::optional<std::string> meant = nearest(name, names); meant && name.starts_with("--")) {
		return wrong(fmt::format("unknown option {}; did you mean {}?", name, *meant));
	}
	return wrong(fmt::format("unknown option {}", name));
}

// CLI11's complaints begin with the option's name; about a missing or a second value it says how many it counted.
Exit explain(const CLI::ParseError &failure) {
	const std::string text = failure.what();
	if (failure.get_exit_code() == static_cast<int>(CLI::ExitCodes::ArgumentMismatch)) {
		const bool too_many = text.find("At Most") != std::string::npos;
		return wrong(fmt::format("{} {}", text.substr(0, text.find(':')), too_many ? "is given twice" : "needs a value"));
	}
	return wrong(text);
}

// Also where something else is wrong: who asks for help does not know better yet.
bool asks_for_help(const Command &command) { return command.app->get_option("--help")->count() > 0; }

bool is_number(std::string_view word) { return !word.empty() && word.find_first_not_of("0123456789,") == std::string_view::npos; }

// What a word was meant for that belongs to no option.
std::string meant_by(const Command &command, const std::string &word, const std::vector<Command> &commands) {
	const std::string name = command.app->get_name();
	const bool takes_process = command.app->get_option_no_throw("--pid") != nullptr;
	const bool process_given = takes_process && command.app->get_option("--pid")->count() > 0;
	if (takes_process && !process_given && (is_number(word) || (!name.empty() && is_process_name(word)))) {
		return fmt::format("did you mean loopsnoop {}{}-p {}?", name, name.empty() ? "" : " ", word);
	}
	if (!name.empty() || process_given) {
		return std::string(command.stray);
	}
	std::vector<std::string> names;
	for (const Command &one : commands) {
		names.push_back(one.app->get_name());
	}
	if (const std::optional<std::string> near = nearest(word, names); near && !near->empty()) {
		return fmt::format("did you mean loopsnoop {}?", *near);
	}
	if (word == "top" || word == "ps" || word == "list") {
		return "loopsnoop --all follows every event loop of this host";
	}
	if (word.ends_with(".jsonl") || word.ends_with(".json") || word.ends_with(".zst")) {
		return fmt::format("did you mean loopsnoop report {}?", word);
	}
	return fmt::format("did you mean loopsnoop -p {0} (one that runs), or loopsnoop -- {0} (to start it)?", word);
}

Parsed finish(const Command &command, const std::vector<Command> &commands) {
	for (const std::string &word : command.app->remaining()) {
		if (word.size() > 1 && word.front() == '-') {
			return unknown_option(*command.app, word);
		}
		return wrong(fmt::format("'{}' is not expected here; {}", word, meant_by(command, word, commands)));
	}
	return command.finish();
}

Parsed parse_words(std::vector<std::string> argv) {
	// What comes after "--" is another program's.
	FollowWords follow;
	follow.argv = argv;
	argv.erase(argv.begin());
	const auto separator = std::find(argv.begin(), argv.end(), "--");
	follow.separated = separator != argv.end();
	if (follow.separated) {
		follow.command.assign(separator + 1, argv.end());
		argv.erase(separator, argv.end());
	}

	CLI::App root;
	std::vector<Command> commands;
	for (const auto &make : subcommands) {
		commands.push_back(make(root));
		follow.subcommands.push_back(commands.back().synopsis);
	}
	const bool nothing = argv.empty() && !follow.separated;
	commands.push_back(follow_command(root, std::move(follow)));
	const Command &main = commands.back();
	if (nothing) {
		return Exit{2, main.help(), true};
	}
	std::optional<Exit> failed;
	try {
		std::reverse(argv.begin(), argv.end()); // CLI11 takes them last first
		root.parse(argv);
	} catch (const CLI::ParseError &failure) {
		failed = explain(failure);
	}
	const auto chosen =
	    std::find_if(commands.begin(), commands.end() - 1, [](const Command &command) { return command.app->parsed(); });
	if (asks_for_help(*chosen) || asks_for_help(main)) {
		return show(chosen->help());
	}
	if (failed) {
		return *failed;
	}
	const auto main_options = root.get_options();
	if (chosen->app != &root &&
	    std::any_of(main_options.begin(), main_options.end(), [](const CLI::Option *option) { return option->count() > 0; })) {
		return wrong(fmt::format("options of {0} go after it: loopsnoop {0} ...", chosen->app->get_name()));
	}
	return finish(*chosen, commands);
}

} // namespace

Exit wrong(std::string_view line) {
	// The arguments in it are whoever's: a script may pass on what others have named.
	return Exit{2, fmt::format("loopsnoop: {} (loopsnoop --help shows how)\n", printable(line, shown_path_bytes)), true};
}

Exit show(std::string text) { return Exit{0, std::move(text), false}; }

Parsed parse(int argc, const char *const *argv) {
	std::vector<std::string> words(argv, argv + std::max(argc, 0));
	if (words.empty()) {
		words.emplace_back("loopsnoop");
	}
	try {
		return parse_words(std::move(words));
	} catch (const std::exception &failure) { // CLI11 throws on what it was not made for
		return wrong(failure.what());
	}
}

} // namespace loopsnoop::cli

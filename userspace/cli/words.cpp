// SPDX-License-Identifier: Apache-2.0
#include "cli/words.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>

#include "cli/values.h"

namespace loopsnoop::cli {

Exit wrong(std::string_view line) { return Exit{2, fmt::format("loopsnoop: {} (loopsnoop --help shows how)\n", line), true}; }

Exit say(std::string text) { return Exit{0, std::move(text), false}; }

Words::Words(std::vector<std::string> arguments) : app_(std::make_unique<CLI::App>()), arguments_(std::move(arguments)) {
	app_->set_help_flag();
	app_->allow_extras();
	flag("-h,--help", help_);
	flag("-q,--quiet", quiet_);
	flag("-v,--verbose", verbose_);
}

Words::~Words() = default;

void Words::option(Value &value, const std::string &names, const std::string &unit) {
	app_->add_option(names, value.given)
	    ->allow_extra_args(false)
	    ->type_name(unit)
	    ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Words::flag(const std::string &names, bool &given) { app_->add_flag(names, given); }

std::optional<Exit> Words::read() {
	std::reverse(arguments_.begin(), arguments_.end()); // CLI11 takes them last first
	try {
		app_->parse(arguments_);
	} catch (const CLI::ArgumentMismatch &missing) {
		const std::string text = missing.what();
		return wrong(fmt::format("{} needs a value", text.substr(0, text.find(':'))));
	} catch (const CLI::ParseError &failure) {
		return wrong(failure.what());
	}
	for (const std::string &word : app_->remaining()) {
		if (word.size() > 1 && word.front() == '-' && !help_) {
			return unknown_option(word);
		}
	}
	if (quiet_ && verbose_) {
		return wrong("--quiet and --verbose exclude each other");
	}
	return std::nullopt;
}

std::vector<std::string> Words::rest() const { return app_->remaining(); }

Verbosity Words::verbosity() const {
	if (quiet_) {
		return Verbosity::quiet;
	}
	return verbose_ ? Verbosity::verbose : Verbosity::normal;
}

Exit Words::unknown_option(const std::string &word) const {
	std::vector<std::string> names;
	for (const CLI::Option *option : app_->get_options()) {
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

} // namespace loopsnoop::cli

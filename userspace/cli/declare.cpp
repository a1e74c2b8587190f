// SPDX-License-Identifier: Apache-2.0
#include "cli/declare.h"

#include <fmt/format.h>

#include <sstream>

namespace loopsnoop::cli {

namespace {

constexpr std::size_t text_column = 30; // scripts/packaging/from-help.awk takes what is further left for an option of its own
constexpr std::size_t max_columns = 100;

void take_or_throw(const Result<void> &taken) {
	if (!taken) {
		throw CLI::ValidationError(taken.error().what);
	}
}

std::string name_of(const std::string &names) { return names.substr(names.find("--")); }

// "  -p, --pid PID", "      --all".
std::string head_of(const CLI::Option &option) {
	std::string head = option.get_snames().empty() ? "      " : fmt::format("  -{}, ", option.get_snames().front());
	head += "--" + option.get_lnames().front();
	if (const std::string unit = option.get_type_name(); option.get_items_expected_max() > 0 && !unit.empty()) {
		head += fmt::format(" {}", unit);
	}
	return head;
}

} // namespace

CLI::Option *flag(CLI::App &app, const std::string &names, bool &target, const std::string &text) {
	return app.add_flag(names, target, text)->type_name("");
}

CLI::Option *value(CLI::App &app, const std::string &names, const std::string &unit,
                   const std::function<Result<void>(const std::string &)> &take, const std::string &text) {
	return app
	    .add_option_function<std::string>(
	        names, [take](const std::string &given) { take_or_throw(take(given)); }, text)
	    ->type_name(unit);
}

CLI::Option *values(CLI::App &app, const std::string &names, const std::string &unit,
                    const std::function<Result<void>(const std::string &)> &take, const std::string &text) {
	return app
	    .add_option_function<std::vector<std::string>>(
	        names,
	        [take](const std::vector<std::string> &given) {
		        for (const std::string &each : given) {
			        take_or_throw(take(each));
		        }
	        },
	        text)
	    ->allow_extra_args(false)
	    ->type_name(unit);
}

CLI::Option *number(CLI::App &app, const std::string &names, const std::string &unit, std::uint32_t &target, std::uint32_t min,
                    std::uint32_t max, const std::string &text) {
	return value(
	    app, names, unit,
	    [&target, min, max, name = name_of(names)](const std::string &given) -> Result<void> {
		    const Result<std::uint32_t> number = number_between(name, given, min, max);
		    if (!number) {
			    return number.error();
		    }
		    target = number.value();
		    return {};
	    },
	    text);
}

CLI::Option *duration(CLI::App &app, const std::string &names, std::uint64_t &target, const DurationRange &range,
                      const std::string &text) {
	return value(
	    app, names, "DURATION",
	    [&target, range, name = name_of(names)](const std::string &given) -> Result<void> {
		    const Result<std::uint64_t> ns = duration_between(name, given, range);
		    if (!ns) {
			    return ns.error();
		    }
		    target = ns.value();
		    return {};
	    },
	    text);
}

CLI::Option *ids(CLI::App &app, const std::string &names, const std::string &unit, std::vector<std::uint32_t> &target,
                 const std::string &text) {
	return values(
	    app, names, unit, [&target, name = name_of(names)](const std::string &given) { return add_ids(name, given, target); },
	    text);
}

CLI::Option *pids(CLI::App &app, const std::string &names, std::vector<std::uint32_t> &target, std::vector<std::string> &named,
                  const std::string &text) {
	return values(
	    app, names, "PID",
	    [&target, &named, name = name_of(names)](const std::string &given) -> Result<void> {
		    if (is_process_name(given)) {
			    named.push_back(given);
			    return {};
		    }
		    return add_ids(name, given, target);
	    },
	    text);
}

CLI::Option *one_pid(CLI::App &app, ProcessChoice &target, const std::string &text) {
	return value(
	    app, "-p,--pid", "PID",
	    [&target](const std::string &given) -> Result<void> {
		    if (is_process_name(given)) {
			    target.name = given;
			    return {};
		    }
		    std::vector<std::uint32_t> pids;
		    if (const Result<void> added = add_ids("--pid", given, pids); !added) {
			    return added.error();
		    }
		    if (pids.size() > 1) {
			    return Error{"--pid: one process at a time", {}, 0, {}};
		    }
		    target.pid = pids.front();
		    return {};
	    },
	    text + ", by its number or by what people call it");
}

Verbosity Common::verbosity() const {
	if (quiet) {
		return Verbosity::quiet;
	}
	return verbose ? Verbosity::verbose : Verbosity::normal;
}

void declare_common(CLI::App &app, Common &common, const std::string &quiet_text, const std::string &verbose_text) {
	app.set_help_flag(); // ours is a flag like any other, so that a wrong value beside it does not matter
	app.allow_extras();
	CLI::Option *verbose = flag(app, "-v,--verbose", common.verbose, verbose_text);
	if (!quiet_text.empty()) {
		flag(app, "-q,--quiet", common.quiet, quiet_text)->excludes(verbose);
	}
	flag(app, "-h,--help", common.help, "print this");
}

std::string with_default(std::string_view text, std::string_view value) { return fmt::format("{} (default: {})", text, value); }

std::string duration_default(std::uint64_t ns) {
	constexpr std::uint64_t us = 1'000;
	constexpr std::uint64_t ms = 1'000'000;
	constexpr std::uint64_t s = 1'000'000'000;
	if (ns % s == 0) {
		return fmt::format("{}s", ns / s);
	}
	return ns % ms == 0 ? fmt::format("{}ms", ns / ms) : fmt::format("{}us", ns / us);
}

std::string help_lines(const CLI::App &app, const std::string &group) {
	std::string out;
	for (const CLI::Option *option : app.get_options()) {
		if (option->get_group() != group || option->get_lnames().empty()) {
			continue;
		}
		std::string line = head_of(*option);
		line.append(line.size() < text_column ? text_column - line.size() : 1, ' ');
		std::istringstream words(option->get_description());
		bool first = true;
		for (std::string word; words >> word; first = false) {
			if (!first && line.size() + 1 + word.size() > max_columns) {
				out += line + "\n";
				line = std::string(text_column, ' ') + word;
			} else {
				line += (first ? "" : " ") + word;
			}
		}
		out += line + "\n";
	}
	return out;
}

} // namespace loopsnoop::cli

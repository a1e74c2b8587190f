// SPDX-License-Identifier: Apache-2.0
#include "cli/parse_follow.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>

#include "base/pattern.h"
#include "base/version.h"
#include "cli/help.h"
#include "cli/values.h"
#include "cli/words.h"

namespace loopsnoop::cli {

namespace {

constexpr std::uint64_t us = 1'000;
constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t hour = 3'600'000'000'000;
// Each of a thousand slots has room for one. The interpreter's frames are had apart; of native code the outermost are cut.
constexpr std::uint32_t discovery_stack_bytes = 16384;
constexpr DurationRange threshold_range{us, hour, "1us to 1h"};
constexpr DurationRange hang_after_range{ms, 24 * hour, "1ms to 24h"};
constexpr DurationRange duration_range{ms, 100'000 * hour, "1ms to 100000h"};

// Which option was given twice, of those that may be given once.
std::optional<Exit> twice(std::initializer_list<std::pair<std::string_view, const Value *>> once) {
	for (const auto &[name, value] : once) {
		if (value->given.size() > 1) {
			return wrong(fmt::format("{} is given twice", name));
		}
	}
	return std::nullopt;
}

// `-j` takes an optional FILE, which CLI11 can only tell from the word after it: here it always gets one, "-" being stdout.
std::vector<std::string> with_json_file(std::vector<std::string> words) {
	std::vector<std::string> out;
	for (std::size_t i = 0; i < words.size(); i++) {
		if (words[i].starts_with("-j=")) {
			out.push_back("--json=" + words[i].substr(3));
		} else if (words[i] == "-j" || words[i] == "--json" || words[i] == "-qj" || words[i] == "-vj") {
			if (words[i].size() == 3) {
				out.push_back(words[i].substr(0, 2));
			}
			const bool file_follows =
			    i + 1 < words.size() && !words[i + 1].empty() && (words[i + 1] == "-" || words[i + 1].front() != '-');
			out.push_back("--json=" + (file_follows ? words[++i] : "-"));
		} else {
			out.push_back(std::move(words[i]));
		}
	}
	return out;
}

// Reads one optional duration into `target`.
std::optional<Exit> take_duration(std::string_view option, const Value &value, const DurationRange &range,
                                  std::uint64_t &target) {
	if (value.given.empty()) {
		return std::nullopt;
	}
	const Result<std::uint64_t> ns = duration_between(option, value.given.front(), range);
	if (!ns) {
		return wrong(ns.error().what);
	}
	target = *ns;
	return std::nullopt;
}

struct FollowWords {
	Value pid, tid, comm, cgroup, max_loops, threshold, hang_after, duration, json, listen, listen_host, stack, without;
};

// Which processes and threads; `options.command` is set already.
std::optional<Exit> take_targets(const FollowWords &given, const std::vector<std::string> &rest, bool have_separator,
                                 FollowOptions &options) {
	for (const std::string &text : given.pid.given) {
		if (const Result<void> added = add_ids("--pid", text, options.pids); !added) {
			return wrong(added.error().what);
		}
	}
	for (const std::string &text : given.tid.given) {
		if (const Result<void> added = add_ids("--tid", text, options.tids); !added) {
			return wrong(added.error().what);
		}
	}
	if (!rest.empty()) {
		return wrong(fmt::format("'{}' is not expected here; put -- before a command that is to be started", rest.front()));
	}
	if (have_separator && (options.command.empty() || options.command.front().empty())) {
		return wrong("-- is not followed by a command");
	}
	if (have_separator && !options.pids.empty()) {
		return wrong("--pid and -- COMMAND exclude each other: follow a running process or start one");
	}
	if (have_separator && !options.tids.empty()) {
		return wrong("--tid and -- COMMAND exclude each other: the command's threads are not there yet");
	}
	if (have_separator && options.discovers()) {
		return wrong(fmt::format("{} and -- COMMAND exclude each other: follow what runs on this host or start a program",
		                         options.all             ? "--all"
		                         : options.comms.empty() ? "--cgroup"
		                                                 : "--comm"));
	}
	if (!have_separator && options.pids.empty() && options.tids.empty() && !options.discovers()) {
		return wrong("nothing to follow; give -p PID, --all for the whole host, or -- COMMAND to start a program");
	}
	return std::nullopt;
}

// Which of the host's processes; `options.all` is set already.
std::optional<Exit> take_discovery(const FollowWords &given, FollowOptions &options) {
	for (const std::string &expression : given.comm.given) {
		if (const auto pattern = Pattern::compile(expression); !pattern) {
			return wrong(fmt::format("--comm: {}", pattern.error().describe()));
		}
		options.comms.push_back(expression);
	}
	options.cgroups = given.cgroup.given;
	if (!given.max_loops.given.empty()) {
		const Result<std::uint32_t> loops = loop_count(given.max_loops.given.front());
		if (!loops) {
			return wrong(loops.error().what);
		}
		options.max_loops = *loops;
	}
	return std::nullopt;
}

std::optional<Exit> take_times(const FollowWords &given, FollowOptions &options) {
	std::uint64_t duration = 0;
	for (std::optional<Exit> exit : {
	         take_duration("--threshold", given.threshold, threshold_range, options.threshold_ns),
	         take_duration("--hang-after", given.hang_after, hang_after_range, options.hang_after_ns),
	         take_duration("--duration", given.duration, duration_range, duration),
	     }) {
		if (exit) {
			return exit;
		}
	}
	if (!given.duration.given.empty()) {
		options.duration_ns = duration;
	}
	if (options.hang_after_ns < options.threshold_ns) {
		if (!given.hang_after.given.empty()) {
			return wrong("--hang-after is shorter than --threshold: what is not a stall yet is not reported");
		}
		options.hang_after_ns = options.threshold_ns;
	}
	return std::nullopt;
}

std::optional<Exit> take_outputs(const FollowWords &given, FollowOptions &options) {
	if (!given.json.given.empty()) {
		options.json = given.json.given.front();
	}
	if (!given.listen.given.empty()) {
		const Result<ListenAddress> listen = listen_address(given.listen.given.front());
		if (!listen) {
			return wrong(listen.error().what);
		}
		options.listen = listen.value();
	}
	if (!given.listen_host.given.empty() && !options.listen) {
		return wrong("--listen-host goes with --listen ADDR:PORT");
	}
	options.listen_hosts = given.listen_host.given;
	if (options.discovers()) {
		options.stack_bytes = discovery_stack_bytes;
	}
	if (!given.stack.given.empty()) {
		const Result<std::uint32_t> bytes = stack_bytes(given.stack.given.front());
		if (!bytes) {
			return wrong(bytes.error().what);
		}
		options.stack_bytes = *bytes;
	}
	for (const std::string &feature : given.without.given) {
		if (const Result<void> left = leave_out(feature, options.without); !left) {
			return wrong(left.error().what);
		}
	}
	return std::nullopt;
}

} // namespace

Parsed parse_follow(std::vector<std::string> arguments) {
	FollowOptions options;
	options.argv = arguments;
	arguments.erase(arguments.begin()); // the program's name
	const auto separator = std::find(arguments.begin(), arguments.end(), "--");
	const bool have_separator = separator != arguments.end();
	if (have_separator) {
		options.command.assign(separator + 1, arguments.end());
		arguments.erase(separator, arguments.end());
	}

	Words words(with_json_file(std::move(arguments)));
	FollowWords given;
	bool version_wanted = false;
	words.option(given.pid, "-p,--pid", "PID");
	words.option(given.tid, "-t,--tid", "TID");
	words.option(given.comm, "--comm", "REGEX");
	words.option(given.cgroup, "--cgroup", "PATH");
	words.option(given.max_loops, "--max-loops", "N");
	words.option(given.threshold, "-T,--threshold", "DURATION");
	words.option(given.hang_after, "--hang-after", "DURATION");
	words.option(given.duration, "-d,--duration", "DURATION");
	words.option(given.json, "-j,--json", "FILE");
	words.option(given.listen, "--listen", "ADDR:PORT");
	words.option(given.listen_host, "--listen-host", "NAME");
	words.option(given.stack, "--stack-bytes", "BYTES");
	words.option(given.without, "--without", "FEATURE");
	words.flag("--all", options.all);
	words.flag("--children", options.children);
	words.flag("--fail-on-stall", options.fail_on_stall);
	words.flag("--version", version_wanted);
	if (std::optional<Exit> exit = words.read()) {
		return *exit;
	}
	options.verbosity = words.verbosity();
	if (words.help()) {
		return say(follow_help(options.verbosity == Verbosity::verbose));
	}
	if (version_wanted) {
		return say(fmt::format("loopsnoop {}\n", version()));
	}
	if (std::optional<Exit> exit = twice({{"--threshold", &given.threshold},
	                                      {"--hang-after", &given.hang_after},
	                                      {"--duration", &given.duration},
	                                      {"--json", &given.json},
	                                      {"--listen", &given.listen},
	                                      {"--max-loops", &given.max_loops},
	                                      {"--stack-bytes", &given.stack}})) {
		return *exit;
	}
	if (std::optional<Exit> exit = take_discovery(given, options)) {
		return *exit;
	}
	if (std::optional<Exit> exit = take_targets(given, words.rest(), have_separator, options)) {
		return *exit;
	}
	if (std::optional<Exit> exit = take_times(given, options)) {
		return *exit;
	}
	if (std::optional<Exit> exit = take_outputs(given, options)) {
		return *exit;
	}
	return options;
}

} // namespace loopsnoop::cli

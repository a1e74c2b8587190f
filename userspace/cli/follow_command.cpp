// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <utility>

#include "base/pattern.h"
#include "base/version.h"
#include "cli/command.h"
#include "cli/declare.h"

namespace loopsnoop::cli {

namespace {

constexpr std::uint64_t us = 1'000;
constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t hour = 3'600'000'000'000;
constexpr DurationRange threshold_range{us, hour, "1us to 1h"};
constexpr DurationRange hang_after_range{ms, 24 * hour, "1ms to 24h"};
constexpr DurationRange stuck_after_range{0, 24 * hour, "0 to 24h"};
constexpr DurationRange duration_range{ms, 100'000 * hour, "1ms to 100000h"};

constexpr const char *what_group = "What to follow";
constexpr const char *when_group = "When to report";
constexpr const char *where_group = "Where to";
constexpr const char *testing_group = "For testing";

struct Read {
	Settings settings;
	FollowWords words;
	Common common;
	bool version = false;
	std::vector<CLI::Option *> not_with_command;
	CLI::Option *max_loops = nullptr;
	CLI::Option *stack_bytes = nullptr;
	CLI::Option *hang_after = nullptr;
};

void declare_what(CLI::App &app, Read &read) {
	Settings &settings = read.settings;
	const auto take_comm = [&settings](const std::string &given) -> Result<void> {
		if (const auto pattern = Pattern::compile(given); !pattern) {
			return Error{fmt::format("--comm: {}", pattern.error().describe()), {}, 0, {}};
		}
		settings.comms.push_back(given);
		return {};
	};
	const auto take_cgroup = [&settings](const std::string &given) -> Result<void> {
		settings.cgroups.push_back(given);
		return {};
	};
	CLI::Option *pid =
	    pids(app, "-p,--pid", settings.pids, settings.names,
	         "process to follow, by its number, or by what people call it (-p uvicorn: all of that name); several: -p "
	         "4711 -p 4712, or -p 4711,4712");
	CLI::Option *tid = ids(app, "-t,--tid", "TID", settings.tids,
	                       with_default("follow this thread as the loop, whatever it looks like", "found"));
	CLI::Option *children =
	    flag(app, "--children", settings.children, with_default("follow the processes below the target, old and new", "off"));
	CLI::Option *all = flag(app, "--all", settings.all, with_default("each process of this host that has an event loop", "off"));
	CLI::Option *comm = values(app, "--comm", "REGEX", take_comm,
	                           "the same, but only where a name of the process matches: its own, its program's, its script's, "
	                           "its unit's; extended, matches anywhere, as in pgrep; several: one of them");
	CLI::Option *cgroup = values(app, "--cgroup", "PATH", take_cgroup,
	                             "the same, but only in this cgroup and below: a container, a pod, a unit "
	                             "(/system.slice/nginx.service); several: one of them");
	read.max_loops = number(app, "--max-loops", "N", settings.max_loops, 1, Settings::max_max_loops,
	                        fmt::format("loop threads followed at once, 1 to {} (default: {}; {} where loops are searched for)",
	                                    Settings::max_max_loops, settings.max_loops, Settings::discovery_max_loops));
	for (CLI::Option *option : {pid, tid, children, all, comm, cgroup, read.max_loops}) {
		option->group(what_group);
	}
	read.not_with_command = {pid, tid, all, comm, cgroup};
}

void declare_when(CLI::App &app, Read &read) {
	Settings &settings = read.settings;
	const auto take_duration = [&settings](const std::string &given) -> Result<void> {
		const Result<std::uint64_t> ns = duration_between("--duration", given, duration_range);
		if (!ns) {
			return ns.error();
		}
		settings.duration_ns = ns.value();
		return {};
	};
	CLI::Option *threshold =
	    duration(app, "-T,--threshold", settings.threshold_ns, threshold_range,
	             with_default("report iterations of the loop at least this long", duration_default(settings.threshold_ns)));
	read.hang_after =
	    duration(app, "--hang-after", settings.hang_after_ns, hang_after_range,
	             with_default("report a stall that is still running once it is this old, and again each time its age "
	                          "doubles",
	                          duration_default(settings.hang_after_ns)));
	CLI::Option *stuck_after = duration(app, "--stuck-after", settings.stuck_after_ns, stuck_after_range,
	                                    with_default("report a loop that is idle while work has waited this long, and again each "
	                                                 "time the wait doubles; 0: never",
	                                                 duration_default(settings.stuck_after_ns)));
	CLI::Option *stop_after = value(app, "-d,--duration", "DURATION", take_duration,
	                                with_default("stop after this long", "until Ctrl-C") +
	                                    "; DURATION: 500us 20ms 1.5s 2m 1h; a bare number is milliseconds");
	for (CLI::Option *option : {threshold, read.hang_after, stuck_after, stop_after}) {
		option->group(when_group);
	}
}

void declare_where(CLI::App &app, Read &read) {
	Settings &settings = read.settings;
	const auto take_json = [&settings](const std::string &given) -> Result<void> {
		settings.json = given.starts_with('=') ? given.substr(1) : given; // "-j=FILE", as "--json=FILE"
		return {};
	};
	const auto take_listen = [&settings](const std::string &given) -> Result<void> {
		Result<ListenAddress> address = listen_address(given);
		if (!address) {
			return address.error();
		}
		settings.listen = std::move(address).value();
		return {};
	};
	const auto take_listen_host = [&settings](const std::string &given) -> Result<void> {
		settings.listen_hosts.push_back(given);
		return {};
	};
	CLI::Option *json = value(app, "-j,--json", "[FILE]", take_json,
	                          with_default("JSON Lines to FILE (mode 0600); without FILE or with - to stdout, and the text to "
	                                       "stderr",
	                                       "off"))
	                        ->expected(0, 1)
	                        ->default_str("-");
	CLI::Option *listen =
	    value(app, "--listen", "ADDR:PORT", take_listen,
	          with_default("serve Prometheus metrics at http://ADDR:PORT/metrics, a page at /, /healthz; a bare PORT is on "
	                       "127.0.0.1",
	                       "off"));
	CLI::Option *listen_host = values(app, "--listen-host", "NAME", take_listen_host,
	                                  with_default("answer requests to http://NAME:PORT, too; several may be given",
	                                               "addresses, localhost and this machine's name"))
	                               ->needs(listen);
	CLI::Option *fail =
	    flag(app, "--fail-on-stall", settings.fail_on_stall, with_default("exit 3 when a stall was reported", "off"));
	declare_common(app, read.common, "one line a stall, no stacks, no status line", "every frame and wait, the verifier's log");
	read.stack_bytes =
	    number(app, "--stack-bytes", "BYTES", settings.stack_bytes, Settings::stack_bytes_unit, Settings::max_stack_bytes,
	           fmt::format("user stack that a capture copies, {} to {} (default: {}; {} where loops are searched for)",
	                       Settings::stack_bytes_unit, Settings::max_stack_bytes, settings.stack_bytes,
	                       Settings::discovery_stack_bytes));
	CLI::Option *version = flag(app, "--version", read.version, "print the version");
	for (CLI::Option *option : {json, listen, listen_host, fail, read.stack_bytes, version, app.get_option("--verbose"),
	                            app.get_option("--quiet"), app.get_option("--help")}) {
		option->group(where_group);
	}
	app.get_option("--help")->description("print this; with -v the options for testing, too");
}

void declare_testing(CLI::App &app, Read &read) {
	const auto take_without = [&read](const std::string &given) -> Result<void> {
		if (given != "tracefs" && given != "file-tracepoints" && given != "cpu-samples") {
			return Error{
			    fmt::format("--without: '{}' is not a feature (tracefs, file-tracepoints, cpu-samples)", given), {}, 0, {}};
		}
		read.settings.without.insert(given);
		return {};
	};
	values(
	    app, "--without", "FEATURE", take_without,
	    "do without a feature of the kernel as if it were missing; may be given several times: tracefs (no syscall tracepoints "
	    "at all), file-tracepoints (none on file I/O calls), cpu-samples (no stacks of iterations that compute)")
	    ->group(testing_group);
}

std::string follow_help(const CLI::App &app, const Read &read) {
	std::string text = R"help(loopsnoop: which line of your code blocks the event loop, on what, held up by whom

  loopsnoop -p "$(pgrep -nx uvicorn)"           a running server: each stall as text, as it happens
  loopsnoop -p "$(pgrep -nx node)" -T 20ms      shorter stalls, too
  loopsnoop -p "$(pgrep -nx uvicorn)" -d 60s -j stalls.jsonl
                                                text here, every record in a file, for one minute
  loopsnoop --children -- uvicorn app:app       start a server, follow it from its first instruction
  loopsnoop --all                               every event loop of this host, as processes come and go
  loopsnoop --all --listen 9464 -q              the same for Prometheus, and a page for people
  loopsnoop report stalls.jsonl                 read that file again: no root, no kernel
  loopsnoop dump -p "$(pgrep -nx uvicorn)"      what every thread does now: any process, hung or not
  loopsnoop tasks -p "$(pgrep -nx uvicorn)"     what every asyncio task waits for now, and who awaits whom
  loopsnoop doctor -p "$(pgrep -nx uvicorn)"    what this machine and this process allow

Usage:
  loopsnoop [OPTIONS] -p PID [-p PID ...]
  loopsnoop [OPTIONS] --all | --comm REGEX | --cgroup PATH
  loopsnoop [OPTIONS] -- COMMAND [ARGUMENT ...]
)help";
	// scripts/packaging/from-help takes the subcommands from these lines.
	std::string line = "  loopsnoop ";
	for (std::size_t i = 0; i < read.words.subcommands.size(); i++) {
		line += (i == 0 ? "" : " | ") + read.words.subcommands[i];
	}
	text += line + "      (each has its own --help)\n";
	for (const char *group : {what_group, when_group, where_group}) {
		text += fmt::format("\n{}:\n{}", group, help_lines(app, group));
	}
	text += R"help(
Exit status: 0 ended as asked, 1 could not start or go on, 2 wrong command line, 3 a stall with --fail-on-stall.
With -- COMMAND its exit status is reported. Following needs root; doctor says what else would do.
The target is never stopped, written to, or left changed.
)help";
	if (read.common.verbose) {
		text += fmt::format("\n{}:\n{}", testing_group, help_lines(app, testing_group));
	}
	return text;
}

// What no option can say of itself; nullopt: all well.
std::optional<Exit> contradiction(const Read &read) {
	const Settings &settings = read.settings;
	if (read.words.separated && (settings.command.empty() || settings.command.front().empty())) {
		return wrong("-- is not followed by a command");
	}
	for (const CLI::Option *option : read.not_with_command) {
		if (read.words.separated && option->count() > 0) {
			return wrong(fmt::format("{} and -- COMMAND exclude each other: follow what runs already, or start a program",
			                         option->get_name()));
		}
	}
	if (!read.words.separated && settings.pids.empty() && settings.names.empty() && settings.tids.empty() &&
	    !settings.discovers()) {
		return wrong("nothing to follow; give -p PID, --all for the whole host, or -- COMMAND to start a program");
	}
	if (settings.hang_after_ns < settings.threshold_ns && read.hang_after->count() > 0) {
		return wrong("--hang-after is shorter than --threshold: what is not a stall yet is not reported");
	}
	return std::nullopt;
}

Parsed finish(Read &read) {
	if (read.version) {
		return show(fmt::format("loopsnoop {}\n", version()));
	}
	Settings &settings = read.settings;
	settings.command = read.words.command;
	settings.argv = read.words.argv;
	settings.verbosity = read.common.verbosity();
	if (std::optional<Exit> exit = contradiction(read)) {
		return *exit;
	}
	settings.hang_after_ns = std::max(settings.hang_after_ns, settings.threshold_ns);
	if (settings.discovers() && read.max_loops->count() == 0) {
		settings.max_loops = Settings::discovery_max_loops;
	}
	if (settings.discovers() && read.stack_bytes->count() == 0) {
		settings.stack_bytes = Settings::discovery_stack_bytes;
	}
	constexpr std::uint32_t unit = Settings::stack_bytes_unit;
	settings.stack_bytes = (settings.stack_bytes + unit - 1) / unit * unit;
	return settings;
}

} // namespace

Command follow_command(CLI::App &root, FollowWords words) {
	const auto read = std::make_shared<Read>();
	read->words = std::move(words);
	declare_what(root, *read);
	declare_when(root, *read);
	declare_where(root, *read);
	declare_testing(root, *read);
	return {&root,
	        {},
	        "put -- before a command that is to be started",
	        [&root, read] { return follow_help(root, *read); },
	        [read] { return finish(*read); }};
}

} // namespace loopsnoop::cli

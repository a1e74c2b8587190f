// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "base/version.h"
#include "catch.h"
#include "cli/options.h"

using namespace loopsnoop;
using namespace loopsnoop::cli;

namespace {

Parsed parse_words(const std::vector<std::string> &words) {
	std::vector<const char *> argv{"loopsnoop"};
	for (const std::string &word : words) {
		argv.push_back(word.c_str());
	}
	return parse(static_cast<int>(argv.size()), argv.data());
}

// Split at blanks.
Parsed parse_line(const std::string &line) {
	std::istringstream stream(line);
	std::vector<std::string> words;
	for (std::string word; stream >> word;) {
		words.push_back(word);
	}
	return parse_words(words);
}

Settings follow(const std::string &line) {
	const Parsed parsed = parse_line(line);
	INFO(line);
	if (const Exit *exit = std::get_if<Exit>(&parsed); exit != nullptr) {
		FAIL(exit->text);
	}
	return std::get<Settings>(parsed);
}

// The complaint about a wrong command line, without what is the same in all.
std::string wrong(const std::string &line) {
	const Parsed parsed = parse_line(line);
	INFO(line);
	REQUIRE(std::holds_alternative<Exit>(parsed));
	const Exit &exit = std::get<Exit>(parsed);
	CHECK(exit.status == 2);
	CHECK(exit.to_stderr);
	const std::string begin = "loopsnoop: ";
	const std::string end = " (loopsnoop --help shows how)\n";
	REQUIRE(exit.text.starts_with(begin));
	REQUIRE(exit.text.ends_with(end));
	CHECK(exit.text.find('\n') == exit.text.size() - 1);
	return exit.text.substr(begin.size(), exit.text.size() - begin.size() - end.size());
}

} // namespace

TEST_CASE("defaults are the contract's") {
	const Settings options = follow("-p 4711");
	CHECK(options.pids == std::vector<std::uint32_t>{4711});
	CHECK(options.tids.empty());
	CHECK(options.command.empty());
	CHECK_FALSE(options.children);
	CHECK(options.threshold_ns == 100'000'000);
	CHECK(options.hang_after_ns == 1'000'000'000);
	CHECK(options.stuck_after_ns == 10'000'000'000);
	CHECK(options.max_loops == 64);
	CHECK_FALSE(options.duration_ns.has_value());
	CHECK_FALSE(options.json.has_value());
	CHECK_FALSE(options.listen.has_value());
	CHECK(options.stack_bytes == 65536);
	CHECK_FALSE(options.fail_on_stall);
	CHECK(options.verbosity == Verbosity::normal);
	CHECK(options.argv == std::vector<std::string>{"loopsnoop", "-p", "4711"});
}

TEST_CASE("every option is taken, short and long") {
	const Settings options = follow(
	    "--pid 1 -p2 -p 3,4 --tid=5 -t 6 --children --threshold 20ms --hang-after 2s --duration 1m --json=out.jsonl "
	    "--listen 0.0.0.0:9464 --stack-bytes 4097 --fail-on-stall --verbose --without cpu-samples --without file-tracepoints");
	CHECK(options.pids == std::vector<std::uint32_t>{1, 2, 3, 4});
	CHECK(options.tids == std::vector<std::uint32_t>{5, 6});
	CHECK(options.children);
	CHECK(options.threshold_ns == 20'000'000);
	CHECK(options.hang_after_ns == 2'000'000'000);
	CHECK(options.duration_ns == 60'000'000'000U);
	CHECK(options.json == "out.jsonl");
	CHECK(options.listen->host == "0.0.0.0");
	CHECK(options.listen->port == 9464);
	CHECK(options.stack_bytes == 8192);
	CHECK(options.fail_on_stall);
	CHECK(options.verbosity == Verbosity::verbose);
	CHECK(options.without == std::set<std::string>{"cpu-samples", "file-tracepoints"});
	CHECK(follow("-p 1 -T 5 -d 1.5s -q").verbosity == Verbosity::quiet);
	CHECK(follow("-p 1 -T 5").threshold_ns == 5'000'000);
	CHECK(follow("-p 1 -T 500us").threshold_ns == 500'000);
	CHECK(follow("-t 77").tids == std::vector<std::uint32_t>{77});
	CHECK(follow("-p 1 -T 5s").hang_after_ns == 5'000'000'000);
	CHECK(follow("-p 1 --stuck-after 0").stuck_after_ns == 0);
	CHECK(follow("-p 1 --stuck-after 1m").stuck_after_ns == 60'000'000'000);
}

TEST_CASE("what to search for on the host") {
	const Settings all = follow("--all");
	CHECK(all.all);
	CHECK(all.discovers());
	CHECK(all.stack_bytes == 16384);
	CHECK(all.max_loops == 1024);
	CHECK(follow("--comm x --max-loops 7").max_loops == 7);
	CHECK(follow("--all --stack-bytes 65536").stack_bytes == 65536);
	CHECK(follow("--all --max-loops 4096").max_loops == 4096);
	const Settings some = follow("--comm ^nginx$ --comm node --cgroup /system.slice/x.service --cgroup=y -p 7 --children");
	CHECK_FALSE(some.all);
	CHECK(some.discovers());
	CHECK(some.comms == std::vector<std::string>{"^nginx$", "node"});
	CHECK(some.cgroups == std::vector<std::string>{"/system.slice/x.service", "y"});
	CHECK(some.pids == std::vector<std::uint32_t>{7});
	CHECK(some.children);
	CHECK_FALSE(follow("-p 1").discovers());
}

TEST_CASE("the option --json takes a file or none") {
	CHECK(follow("-p 1 -j").json == "-");
	CHECK(follow("-j -p 1").json == "-");
	CHECK(follow("-p 1 -j -").json == "-");
	CHECK(follow("-p 1 -j - -q").json == "-");
	CHECK(follow("-p 1 --json").json == "-");
	CHECK(follow("--json out.jsonl -p 1").json == "out.jsonl");
	CHECK(follow("-p 1 -j out.jsonl").json == "out.jsonl");
	CHECK(follow("-p 1 -j=out.jsonl").json == "out.jsonl");
	CHECK(follow("-p 1 -jout.jsonl").json == "out.jsonl");
	CHECK(follow("-p 1 --json=out=1").json == "out=1");
	CHECK(follow("-p 1 --json=").json == "-");
	CHECK(follow("-qj -p 1").json == "-");
	CHECK(follow("-p 1 --json true").json == "true");
	const Settings command = follow("-j -- true");
	CHECK(command.json == "-");
	CHECK(command.command == std::vector<std::string>{"true"});
}

TEST_CASE("a command is kept as it is") {
	const Settings options = follow("-T 20ms -- python3 -p -j --help -- x --unknown");
	CHECK(options.command == std::vector<std::string>{"python3", "-p", "-j", "--help", "--", "x", "--unknown"});
	CHECK(options.pids.empty());
	CHECK(options.threshold_ns == 20'000'000);
	const Parsed blank = parse_words({"--", "sh", "-c", "", "a b"});
	CHECK(std::get<Settings>(blank).command == std::vector<std::string>{"sh", "-c", "", "a b"});
}

TEST_CASE("addresses to listen on") {
	for (const char *loopback : {"9464", ":9464", "localhost:9464", "127.0.0.1:9464"}) {
		CHECK(follow(std::string("-p 1 --listen ") + loopback).listen->host == "127.0.0.1");
	}
	CHECK(follow("-p 1 --listen [::1]:80").listen->host == "::1");
	for (const char *bad : {"0.0.0.0", "1.2.3:80", "[::1", "[x]:80", "::1:80", ":0", ":70000", ":x", "host:80", "-1"}) {
		CHECK(wrong(std::string("-p 1 --listen=") + bad).starts_with("--listen: "));
	}
}

TEST_CASE("a wrong command line gets one line that says what is wrong") {
	CHECK(wrong("-p") == "--pid needs a value");
	for (const char *junk : {"0", "-5", "1x", "+1", "1.5", "4194305", "99999999999999999999", "1,", ",1", "1,,2"}) {
		CHECK(wrong(std::string("-p ") + junk).find("is not a process id (a number from 1 to 4194304)") != std::string::npos);
	}
	CHECK(follow("-p uvicorn -p 7 -p 4f2a9c01be77").names == std::vector<std::string>{"uvicorn", "4f2a9c01be77"});
	CHECK(wrong("-t x -p 1") == "--tid: 'x' is not a thread id (a number from 1 to 4194304)");
	CHECK(wrong("-p 5 -p 5") == "--pid: process 5 is named twice");
	CHECK(wrong("-p 5 -- true") == "--pid and -- COMMAND exclude each other: follow what runs already, or start a program");
	CHECK(wrong("-t 5 -- true").starts_with("--tid and -- COMMAND exclude each other"));
	CHECK(wrong("-q") == "nothing to follow; give -p PID, --all for the whole host, or -- COMMAND to start a program");
	CHECK(wrong("--all -- true").starts_with("--all and -- COMMAND exclude each other"));
	CHECK(wrong("--comm x -- true").starts_with("--comm and -- COMMAND exclude each other"));
	CHECK(wrong("--cgroup / -- true").starts_with("--cgroup and -- COMMAND exclude each other"));
	CHECK(wrong("--comm [") == "--comm: cannot read the regular expression ('['); Invalid regular expression");
	CHECK(wrong("--comm") == "--comm needs a value");
	CHECK(wrong("--cgroup=") == "--cgroup needs a value");
	for (const char *junk : {"0", "4097", "x", "-1"}) {
		CHECK(wrong(std::string("--all --max-loops ") + junk).find("is not a number from 1 to 4096") != std::string::npos);
	}
	CHECK(wrong("--") == "-- is not followed by a command");
	CHECK(wrong("uvicorn app:app") ==
	      "'uvicorn' is not expected here; did you mean loopsnoop -p uvicorn (one that runs), or loopsnoop -- uvicorn (to start "
	      "it)?");
	CHECK(wrong("4711") == "'4711' is not expected here; did you mean loopsnoop -p 4711?");
	CHECK(wrong("top") == "'top' is not expected here; loopsnoop --all follows every event loop of this host");
	CHECK(wrong("dmup") == "'dmup' is not expected here; did you mean loopsnoop dump?");
	CHECK(wrong("night.jsonl") == "'night.jsonl' is not expected here; did you mean loopsnoop report night.jsonl?");
	CHECK(wrong("-p 5 uvicorn") == "'uvicorn' is not expected here; put -- before a command that is to be started");
	CHECK(wrong("dump uvicorn") == "'uvicorn' is not expected here; did you mean loopsnoop dump -p uvicorn?");
	CHECK(wrong("-p 1 -T 0") == "--threshold: 0 is out of range (1us to 1h)");
	CHECK(wrong("-p 1 -T 2h") == "--threshold: 2h is out of range (1us to 1h)");
	CHECK(wrong("-p 1 -T fast") ==
	      "--threshold: 'fast' is not a duration (500us, 20ms, 1.5s, 2m; a bare number is milliseconds)");
	CHECK(wrong("-p 1 -T -5ms").starts_with("--threshold: '-5ms' is not a duration"));
	CHECK(wrong("-p 1 -d 0") == "--duration: 0 is out of range (1ms to 100000h)");
	CHECK(wrong("-p 1 --hang-after 0").starts_with("--hang-after: 0 is out of range"));
	CHECK(wrong("-p 1 -T 5s --hang-after 1s") ==
	      "--hang-after is shorter than --threshold: what is not a stall yet is not reported");
	CHECK(wrong("-p 1 --listen-host x") == "--listen-host requires --listen");
	CHECK(wrong("-p 1 -T 5ms -T 6ms") == "--threshold is given twice");
	CHECK(wrong("-p 1 -j a -j b") == "--json is given twice");
	for (const char *bytes : {"0", "4095", "65537", "-1", "16k", "99999999999"}) {
		CHECK(wrong(std::string("-p 1 --stack-bytes ") + bytes).ends_with("is not a number from 4096 to 65536"));
	}
	CHECK(wrong("-p 1 --thresold 5ms") == "unknown option --thresold; did you mean --threshold?");
	CHECK(wrong("-p 1 --fail-on-stal") == "unknown option --fail-on-stal; did you mean --fail-on-stall?");
	CHECK(wrong("-p 1 --frobnicate=3") == "unknown option --frobnicate");
	CHECK(wrong("-p 1 -z") == "unknown option -z");
	CHECK(wrong("-p 1 -q -v") == "--verbose excludes --quiet");
	CHECK(wrong("-p 1 --without bpf") == "--without: 'bpf' is not a feature (tracefs, file-tracepoints, cpu-samples)");
	CHECK(wrong("-p 1 --" + std::string(100'000, 'x')).starts_with("unknown option --xxx"));
}

TEST_CASE("subcommands") {
	CHECK(std::get<ReportOptions>(parse_line("report out.jsonl")).file == "out.jsonl");
	CHECK(std::get<ReportOptions>(parse_line("report -v -")).file == "-");
	CHECK(std::get<ReportOptions>(parse_line("report -v -")).verbosity == Verbosity::verbose);
	CHECK(wrong("report") == "report needs a FILE, as --json wrote it (- for standard input)");
	CHECK(wrong("report a b") == "'b' is not expected here; report reads one FILE");
	CHECK(wrong("report -p 1 a") == "unknown option -p");
	CHECK_FALSE(std::get<DoctorOptions>(parse_line("doctor")).process.given());
	CHECK(std::get<DoctorOptions>(parse_line("doctor -p 5")).process.pid == 5U);
	CHECK(wrong("doctor 5") == "'5' is not expected here; did you mean loopsnoop doctor -p 5?");
	CHECK(wrong("doctor -p 5 -p 6") == "--pid is given twice");
	CHECK(wrong("doctor -p 5,6") == "--pid: one process at a time");
	CHECK(wrong("-v report a") == "options of report go after it: loopsnoop report ...");
	CHECK(std::get<DumpOptions>(parse_line("dump -p 5 --json")).process.pid == 5U);
	CHECK(std::get<DumpOptions>(parse_line("dump -p uvicorn")).process.name == "uvicorn");
	CHECK(std::get<DumpOptions>(parse_line("dump -p 5 --json")).json);
	CHECK_FALSE(std::get<DumpOptions>(parse_line("dump -p 5")).json);
	CHECK(wrong("dump") == "dump needs a process: -p PID");
	CHECK(wrong("dump -p 0").starts_with("--pid: '0' is not a process id"));
}

TEST_CASE("help and version") {
	for (const char *line : {"--help", "-h", "-p x -h", "report --help", "doctor -h", "dump -h", "-h --bogus"}) {
		INFO(line);
		const Parsed parsed = parse_line(line);
		REQUIRE(std::holds_alternative<Exit>(parsed));
		CHECK(std::get<Exit>(parsed).status == 0);
		CHECK_FALSE(std::get<Exit>(parsed).to_stderr);
		CHECK(std::get<Exit>(parsed).text.find("\n  loopsnoop ") < 200); // commands first
	}
	CHECK(std::get<Exit>(parse_line("--version")).text == "loopsnoop " + std::string(version()) + "\n");
	CHECK(std::get<Exit>(parse_line("-v -h")).text.find("--without FEATURE") != std::string::npos);
	CHECK(std::get<Exit>(parse_line("-h")).text.find("--without") == std::string::npos);
	const Parsed bare = parse_words({});
	CHECK(std::get<Exit>(bare).status == 2);
	CHECK(std::get<Exit>(bare).to_stderr);
	CHECK(std::get<Exit>(parse(0, nullptr)).status == 2);
}

TEST_CASE("the help names every option with its unit, and fits a terminal") {
	const auto help_of = [](const std::string &line) { return std::get<Exit>(parse_line(line)).text; };
	const std::string help = help_of("-v -h");
	for (const char *option : {"-p, --pid PID", "-t, --tid TID", "--children", "-T, --threshold DURATION",
	                           "--hang-after DURATION", "--stuck-after DURATION", "-d, --duration DURATION", "-j, --json [FILE]",
	                           "--listen ADDR:PORT", "--stack-bytes BYTES", "--fail-on-stall", "-q, --quiet", "-v, --verbose",
	                           "--version", "-h, --help", "--without FEATURE", "100ms", "65536", "until Ctrl-C"}) {
		INFO(option);
		CHECK(help.find(option) != std::string::npos);
	}
	for (const std::string &text : {help, help_of("report -h"), help_of("doctor -h"), help_of("dump -h")}) {
		std::istringstream lines(text);
		for (std::string line; std::getline(lines, line);) {
			INFO(line);
			CHECK(line.size() <= 116);
			CHECK(line.find('\t') == std::string::npos);
		}
	}
}

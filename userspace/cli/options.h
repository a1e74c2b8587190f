// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace loopsnoop::cli {

enum class Verbosity : std::uint8_t { quiet, normal, verbose };

struct ListenAddress {
	std::string host; // "127.0.0.1" when only a port was given; IPv6 without brackets
	std::uint16_t port = 0;
};

// Kernel features switched off by hand (`--without`), so that the way without them gets tested and used.
struct Without {
	bool tracefs = false;          // no syscall tracepoints at all
	bool file_tracepoints = false; // none on file I/O calls
	bool cpu_samples = false;      // no perf events
};

// Follow processes: `-p`, `-t`, those found (`--all`, `--comm`, `--cgroup`), or `-- COMMAND`, which goes with none of the others.
struct FollowOptions {
	std::vector<std::uint32_t> pids;
	std::vector<std::uint32_t> tids; // with no pid: the process is the one the thread belongs to
	std::vector<std::string> command;
	bool all = false;                 // --all
	std::vector<std::string> comms;   // --comm: extended regular expressions, checked
	std::vector<std::string> cgroups; // --cgroup: as given
	std::uint32_t max_loops = 0;      // loop threads followed at once; 0: not given
	bool children = false;
	std::uint64_t threshold_ns = 100'000'000;
	std::uint64_t hang_after_ns = 1'000'000'000; // never below threshold_ns
	std::optional<std::uint64_t> duration_ns;
	std::optional<std::string> json; // "-": stdout
	std::optional<ListenAddress> listen;
	std::vector<std::string> listen_hosts; // names that the exporter is reached under, beside its addresses
	std::uint32_t stack_bytes = 65536; // a multiple of 4096
	bool fail_on_stall = false;
	Verbosity verbosity = Verbosity::normal;
	Without without;
	std::vector<std::string> argv; // the command line as typed, for the session record

	[[nodiscard]] bool discovers() const { return all || !comms.empty() || !cgroups.empty(); }
};

struct ReportOptions {
	std::string file; // "-": stdin
	Verbosity verbosity = Verbosity::normal;
};

struct DoctorOptions {
	std::optional<std::uint32_t> pid;
	Verbosity verbosity = Verbosity::normal;
};

struct DumpOptions {
	std::uint32_t pid = 0;
	bool json = false;
	Verbosity verbosity = Verbosity::normal;
};

// Nothing to do but say this and leave: help, version, or a wrong command line (status 2).
struct Exit {
	int status = 0;
	std::string text; // ends in a newline
	bool to_stderr = false;
};

using Parsed = std::variant<FollowOptions, ReportOptions, DoctorOptions, DumpOptions, Exit>;

// Never throws and looks at nothing but its arguments.
[[nodiscard]] Parsed parse(int argc, const char *const *argv);

} // namespace loopsnoop::cli

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "abi/sizes.h"

namespace loopsnoop {

// An iteration is suspicious from this part of the threshold on, for the kernel side and for this one.
inline constexpr std::uint64_t suspicious_share = LS_SUSPICIOUS_SHARE;

enum class Verbosity : std::uint8_t { quiet, normal, verbose };

struct ListenAddress {
	std::string host; // "127.0.0.1" when only a port was given; IPv6 without brackets
	std::uint16_t port = 0;
};

// What a person asked of one session. Each default stands here and nowhere else: the help prints it from here. Declared to the
// command line in cli/follow_command.cpp. An immutable value once it is parsed: any thread may read it.
struct Settings {
	// Those that rooms below this struct's users need, too.
	static constexpr std::uint64_t default_threshold_ns = 100'000'000;
	static constexpr std::uint32_t default_max_loops = 64;
	static constexpr std::uint32_t default_stack_bytes = 65536;
	// What the kernel side has room for.
	static constexpr std::uint32_t max_max_loops = LS_SLOTS_MAX;
	static constexpr std::uint32_t stack_bytes_unit = LS_PAGE_BYTES;
	static constexpr std::uint32_t max_stack_bytes = LS_STACK_BYTES_MAX;
	// For a whole host, where each of a thousand loops needs them. The interpreter's frames are read apart from them; the
	// outermost native frames are cut.
	static constexpr std::uint32_t discovery_max_loops = 1024;
	static constexpr std::uint32_t discovery_stack_bytes = 16384;

	// What to follow: processes by number, those found (`discovers`), or a command, which goes with none of the others.
	std::vector<std::uint32_t> pids;
	std::vector<std::string> names;  // of processes, as people call them
	std::vector<std::uint32_t> tids; // with no pid: the process is the one the thread belongs to
	std::vector<std::string> command;
	bool children = false;
	bool all = false;
	std::vector<std::string> comms;   // extended regular expressions, checked; one of them matches one of the process's names
	std::vector<std::string> cgroups; // as given
	std::uint32_t max_loops =
	    default_max_loops; // loop threads followed at once; each costs stack_bytes and 12 KiB of kernel memory

	// When to report.
	std::uint64_t threshold_ns = default_threshold_ns;
	std::uint64_t hang_after_ns = 1'000'000'000;   // never below threshold_ns
	std::uint64_t stuck_after_ns = 10'000'000'000; // 0: standstills are not searched for
	std::optional<std::uint64_t> duration_ns;

	// Where to.
	std::optional<std::string> json; // "-": stdout
	std::optional<ListenAddress> listen;
	std::vector<std::string> listen_hosts; // names that the exporter is reached under, beside its addresses
	bool fail_on_stall = false;
	Verbosity verbosity = Verbosity::normal;
	std::uint32_t stack_bytes = default_stack_bytes; // of user stack that a capture copies; a multiple of stack_bytes_unit

	std::set<std::string> without; // features of the kernel done without: "tracefs", "file-tracepoints", "cpu-samples"
	std::vector<std::string> argv; // the command line as typed, for the session record

	// Processes that nobody named are searched for.
	[[nodiscard]] bool discovers() const { return all || !comms.empty() || !cgroups.empty(); }
};

} // namespace loopsnoop

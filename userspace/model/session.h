// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/cause.h"
#include "model/dump.h"
#include "model/loss.h"
#include "model/stall.h"

namespace loopsnoop {

inline constexpr int schema_version = 1;

// First record of a session: written once everything is attached.
struct SessionStart {
	std::string version;
	std::string started_at;
	std::uint64_t start_ns = 0;
	std::string host;
	std::string kernel;
	std::uint64_t threshold_ns = 0;
	std::vector<std::string> argv;
	std::vector<std::string> missing; // what this machine does not allow, a sentence each; empty when all is there
	bool discovery = false;           // processes are looked for (--all, --comm, --cgroup): there may be hundreds
};

enum class RuntimeKind : std::uint8_t { native, cpython, node };
[[nodiscard]] constexpr std::string_view name_of(RuntimeKind kind) {
	switch (kind) {
	case RuntimeKind::cpython: return "cpython";
	case RuntimeKind::node: return "node";
	case RuntimeKind::native: break;
	}
	return "native";
}

struct Runtime {
	RuntimeKind kind = RuntimeKind::native;
	std::optional<std::string> version;
};

struct OwnPoll {
	std::string syscall;
	std::optional<int> fd; // epoll and io_uring only
};

// Where a process runs, told from its cgroups; empty: not known.
struct Placement {
	std::string container; // id: 64 hexadecimal digits
	std::string unit;      // of systemd
};

struct LoopFound {
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	std::string comm;
	std::string thread;
	std::uint64_t start_ns = 0;
	Runtime runtime;
	std::optional<OwnPoll> poll; // null while the thread was not seen polling
	Placement placement;
};

struct ProcessExit {
	std::uint32_t pid = 0;
	std::uint64_t start_ns = 0;
	std::optional<int> status;         // exit code
	std::optional<std::string> signal; // "SIGKILL"
};
struct ProcessExec {
	std::uint32_t pid = 0;
	std::uint64_t start_ns = 0;
	std::string comm;
};
struct ProcessFork {
	std::uint32_t pid = 0;
	std::uint64_t start_ns = 0;
	std::uint32_t child = 0;
};

struct LoopTotals {
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	std::uint64_t iterations = 0;
	std::uint64_t busy_ns = 0;
	std::uint64_t idle_ns = 0;
	std::uint64_t stalls = 0;
	std::uint64_t stalled_ns = 0;
	std::uint64_t longest_ns = 0; // of the iterations
	Breakdown by_cause{};         // of the stalls
};

struct SessionSummary {
	std::uint64_t duration_ns = 0;
	std::vector<LoopTotals> loops;
	std::uint64_t loops_left_out = 0; // that ended, beyond those kept
	LossCounts lost{};
};

using Record = std::variant<SessionStart, LoopFound, Stall, ProcessExit, ProcessExec, ProcessFork, SessionSummary, Dump>;

} // namespace loopsnoop

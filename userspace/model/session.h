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
#include "model/gauges.h"
#include "model/loss.h"
#include "model/special_members.h"
#include "model/stall.h"
#include "model/standstill.h"
#include "model/tasks.h"

namespace loopsnoop {

inline constexpr int schema_version = 1;

// Children of a process that was named, themselves not followed: a pre-fork server's master hardly does anything, its workers do.
struct NotFollowed {
	std::uint32_t parent = 0;
	std::string comm;                    // of the parent
	std::vector<std::uint32_t> children; // those with an event queue, and theirs
	std::string service = {};            // of the parent
};

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
	bool discovery = false;           // processes are searched for (--all, --comm, --cgroup): there may be hundreds
	std::vector<NotFollowed> not_followed;
	std::vector<NotFollowed> workers; // of those that were named and serve nobody themselves: followed as with --children
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
	// Of a native program: the language of what it runs, where that is known and its own frames are not read ("Perl", "Java"), or
	// where its threads are no loops ("Go"). Empty: neither.
	std::string language = {};
};
inline constexpr std::string_view go_language = "Go";

struct OwnPoll {
	std::string syscall;
	std::optional<int> fd; // epoll and io_uring only
};

// Where a process runs, by its cgroups; empty: not known.
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
	ProcessName name = {};
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

// What the stalls spent in one line, on one thing: the line's part of each stall, also of those whose culprit is another line.
struct LineTotals {
	SourceFrame line; // the application's; where a stack has none of it, the innermost that has a name; empty: not known
	Cause cause = Cause::other;
	std::string on;           // "127.0.0.1:5432 of postgres (pid 812)", a path, a lock; empty: nothing to name
	std::uint64_t stalls = 0; // that it was part of
	std::uint64_t count = 0;  // waits, or samples
	std::uint64_t ns = 0;
	std::uint64_t longest_ns = 0; // its part of one stall
};

// The life of a process that was followed together with its children, as far as the session saw it.
struct ProcessLife {
	LOOPSNOOP_SPECIAL_MEMBERS(ProcessLife);

	struct EndedBy {
		std::string signal; // "SIGTERM"
		std::uint32_t pid = 0;
		std::string comm;
	};
	struct Write {
		std::string path;
		std::uint64_t time_ns = 0;
	};
	std::uint32_t pid = 0;
	std::optional<std::uint32_t> parent; // followed, too
	std::string comm;
	std::string command; // its arguments, as they were soon after it began; empty: not read
	std::uint64_t start_ns = 0;
	std::uint64_t lived_ns = 0; // until it ended, or the session did
	bool ended = false;
	std::optional<int> status;
	std::optional<std::string> signal;
	bool came_to_loop = false;             // a thread of it was seen in its own poll call
	std::optional<std::uint64_t> accepted; // connections; unset: not hooked
	std::optional<EndedBy> ended_by;       // the last signal sent to it that ends processes
	std::string doing; // in its main thread, when that came, or at its end: "sleeping (2.5 s asked for)"; empty: not known
	std::optional<SourceFrame> culprit; // the line of it
	std::vector<Write> writes;          // files it opened for writing, oldest first, the last ones
};

// Processes of one parent and one command that ended one after the other.
struct Restarts {
	LOOPSNOOP_SPECIAL_MEMBERS(Restarts);

	std::uint32_t parent = 0;
	std::string parent_comm;
	std::vector<std::uint32_t> workers; // pids, oldest first
	std::vector<std::uint32_t> served;  // those of them that accepted a connection
	bool accepts_known = false;
	std::uint64_t came_to_loop = 0; // how many of them
	std::uint64_t shortest_ns = 0;
	std::uint64_t longest_ns = 0;
	std::optional<ProcessLife::EndedBy> ended_by; // most of them
	std::uint64_t ended_by_count = 0;
	std::string doing; // most of them, when that came
	std::optional<SourceFrame> culprit;
	std::uint64_t doing_count = 0;
	std::string file; // written during most of their lives; the last one before the end where there are several
	std::uint64_t file_count = 0;
	bool file_by_worker = false;      // by the worker itself, each time
	std::uint64_t file_before_ns = 0; // from the write to the end, the longest time
};

// Customers of a process who wait as the session ends. Its loop is idle: while it is blocked, its stall has them.
struct WaitedFor {
	std::uint32_t pid = 0;
	std::string comm;
	Clients clients;
	std::optional<std::uint64_t> tasks; // that wait, as they were last read; unset: not known
	bool has_tasks = true;              // its runtime is one whose tasks can be read
	std::string service = {};
};

struct SessionSummary {
	LOOPSNOOP_SPECIAL_MEMBERS(SessionSummary);

	std::uint64_t duration_ns = 0;
	std::vector<LoopTotals> loops;
	std::uint64_t loops_left_out = 0;    // that ended, beyond those kept
	std::vector<LineTotals> lines;       // most time first
	std::vector<ProcessLife> processes;  // of sessions that follow children; oldest first
	std::vector<Restarts> restarts;      // likewise
	std::uint64_t standstills = 0;       // that were reported
	std::vector<WaitedFor> waited_for;   // processes that somebody waits for as the session ends
	std::vector<GaugesChange> grown;     // what has filled up meanwhile
	std::vector<std::string> unanswered; // file systems and memory that did not answer, a sentence each
	LossCounts lost{};
};

using Record = std::variant<SessionStart, LoopFound, Stall, ProcessExit, ProcessExec, ProcessFork, SessionSummary, Dump,
                            Standstill, TaskSnapshot>;

} // namespace loopsnoop

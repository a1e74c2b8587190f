// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/connections.h"
#include "model/left_out.h"
#include "model/resource.h"
#include "model/special_members.h"
#include "model/stack.h"
#include "model/stall.h"
#include "model/tasks.h"

namespace loopsnoop {

// The loop sleeps in its own poll call, or goes round without getting anywhere, while there is work that it does not do.
enum class StandstillKind : std::uint8_t {
	lost_wakeup,   // callbacks are queued, or a timer is overdue, and the loop sleeps
	task_deadlock, // tasks wait for each other in a circle
	no_answer,     // customers asked and get no byte
	not_accepted,  // connections wait in the accept queue and the loop sleeps
	spin,          // the loop does not sleep, for a descriptor that stays ready and is not taken care of
};
[[nodiscard]] constexpr std::string_view name_of(StandstillKind kind) {
	switch (kind) {
	case StandstillKind::lost_wakeup: return "lost_wakeup";
	case StandstillKind::task_deadlock: return "task_deadlock";
	case StandstillKind::not_accepted: return "not_accepted";
	case StandstillKind::spin: return "spin";
	case StandstillKind::no_answer: break;
	}
	return "no_answer";
}

struct ReadyQueue {
	std::uint64_t count = 0;
	std::vector<ReadyCallback> callbacks;          // the first 16
	std::optional<std::uint64_t> timer_overdue_ns; // of a timer that was due
};

// Tasks that wait at the same place for the same thing.
struct TaskGroup {
	LOOPSNOOP_SPECIAL_MEMBERS(TaskGroup);

	std::uint64_t count = 0;
	std::vector<std::string> names;         // 8 at most
	std::optional<std::uint64_t> waited_ns; // at least: since the one that was seen first was seen there
	std::optional<WaitsFor> waits_for;
	std::vector<SourceFrame> stack; // innermost first
	std::optional<SourceFrame> culprit;
};

struct Spin {
	std::uint64_t iterations_per_s = 0;
	std::optional<Resource> resource; // the descriptor that stays ready
};

struct Standstill {
	LOOPSNOOP_SPECIAL_MEMBERS(Standstill);

	std::uint64_t id = 0;
	bool ongoing = false;
	std::uint64_t start_ns = 0; // since when somebody, or something, has waited
	std::string started_at;     // RFC 3339
	std::uint64_t duration_ns = 0;
	Truncated truncated = Truncated::no;
	bool goes_on = false; // of the last record: loopsnoop stopped following, the standstill had not ended
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	std::string comm;
	ProcessName name;
	std::string thread;
	StandstillKind kind = StandstillKind::no_answer;
	bool certain = false;
	Clients clients;
	std::vector<SilentUpstream> upstream; // 16 at most, oldest first
	std::optional<ReadyQueue> ready;
	std::vector<TaskGroup> tasks; // most first
	std::vector<TaskId> deadlock;
	std::optional<Spin> spin;
	std::optional<SourceFrame> culprit;
	std::string summary;
	std::optional<std::string> advice;
	std::optional<std::vector<ThreadView>> threads;
	std::optional<LeftOut> left_out; // of a record that would be too large; set by its writer
};

} // namespace loopsnoop

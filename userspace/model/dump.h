// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/special_members.h"
#include "model/stall.h"
#include "model/standstill.h"

namespace loopsnoop {

// The tasks of one event loop in short.
struct LoopInShort {
	LOOPSNOOP_SPECIAL_MEMBERS(LoopInShort);

	std::uint32_t tid = 0; // 0: the loop runs in no thread at the moment, or that is not known
	std::string framework;
	std::string type;
	std::optional<std::string> running; // name of the task that runs
	std::optional<std::uint64_t> ready; // callbacks that are queued
	std::uint64_t tasks = 0;
	std::vector<TaskGroup> groups; // those that wait, most first, 32 at most
};

// A snapshot of every thread of a process: `loopsnoop dump`.
struct Dump {
	std::uint32_t pid = 0;
	std::string comm;
	ProcessName name;
	std::uint64_t start_ns = 0; // when the snapshot began, CLOCK_MONOTONIC
	std::string started_at;     // RFC 3339
	std::uint64_t look_ns = 0;  // from its first thread to its last: two threads were read that far apart
	std::vector<ThreadView> threads;
	std::optional<std::vector<std::uint32_t>> deadlock;
	std::vector<LoopInShort> loops;  // where tasks can be read
	std::optional<LeftOut> left_out; // when the record was too large
};

} // namespace loopsnoop

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/standstill.h"

namespace loopsnoop::summary {

// "connections wait to be accepted and the loop sleeps"
[[nodiscard]] std::string_view words_of(StandstillKind kind);

// "8 customers wait, the oldest for 12.4 s; 2 connections are not accepted"; empty: nobody waits.
[[nodiscard]] std::string format_clients(const Clients &clients, bool over = false);

// One sentence that an on-call engineer can act on, from all other fields of the record: who waits, where the tasks stand that
// should serve them, who probably holds what they wait for, and what that one waits for. Strings of the target are as it had
// them.
[[nodiscard]] std::string summarize(const Standstill &standstill);

// What to do about it, in one line; nullopt: not known.
[[nodiscard]] std::optional<std::string> advice_for(const Standstill &standstill);

// The line that the record is about: where most of the tasks stand that have to do with it.
[[nodiscard]] std::optional<SourceFrame> culprit_of(const Standstill &standstill);

// Threads of libuv's pool that resolve names, known by their native stacks: as many as may at once, so that nobody else can.
struct StuckPool {
	std::uint64_t threads = 0;
	std::string call;   // "getaddrinfo"
	std::string remote; // "udp 127.0.0.1:53"; empty: not known
};
[[nodiscard]] std::optional<StuckPool> find_stuck_pool(const std::vector<ThreadView> &threads);

} // namespace loopsnoop::summary

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "discovery/discovery.h"
#include "model/event.h"
#include "model/gauges.h"
#include "model/session.h"
#include "model/settings.h"
#include "output/status_line.h"

namespace loopsnoop::session {

// The kernel's tables at one moment.
struct LiveNumbers {
	std::uint64_t now_ns = 0; // CLOCK_MONOTONIC
	std::vector<LoopState> loops;
	LossCounts lost{};
};

// Where the records go. A `false` ends the session: nobody reads any more.
struct Outputs {
	std::function<bool(const Record &)> record;
	std::function<bool(const output::Status &)> status; // about once a second
	std::function<bool()> winch;                        // the terminal's size has changed
	// SIGHUP: opens its files again. A `false`, and an empty one: it has none, SIGHUP is to end the session.
	std::function<bool()> reopen;
	// What the processes of the loops had when they were last read: after each round of readings. May be empty.
	std::function<void(std::vector<ProcessGauges>)> gauges;
	// Called once everything is attached, with a function that any thread may read them by until the session ends; then with an
	// empty one. May be empty.
	std::function<void(std::function<LiveNumbers()>)> live;
};

struct FollowEnd {
	std::uint64_t stalls = 0;
	std::optional<int> command_status; // wait status of `-- COMMAND`, when it has ended
	bool reader_gone = false;
};

// Follows processes until the time is over, they have ended, or SIGINT or SIGTERM comes. Blocks those signals in this thread and
// takes them by signalfd. The Error is one line for a person.
[[nodiscard]] Result<FollowEnd> follow(const Settings &settings, const Outputs &outputs);

} // namespace loopsnoop::session

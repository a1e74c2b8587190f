// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

#include "collector/collector.h"
#include "model/session.h"
#include "model/settings.h"
#include "process/procfs.h"
#include "session/clock.h"

namespace loopsnoop::session {

// What every part of a session needs, given once. A test gives its own collector, /proc and clock. Const from then on: each part
// keeps a reference to it.
struct Context {
	const Settings &options; // as asked for, and filled in where that leaves something open
	collector::Collector &collector;
	process::ProcFs proc;
	std::function<void(const Record &)> write;
	Clock clock;

	[[nodiscard]] std::uint64_t now_ns() const { return clock.monotonic(); }
	// By --tid. If any thread was, no other of its process is a loop.
	[[nodiscard]] bool asked_for(std::uint32_t tid) const { return std::ranges::find(options.tids, tid) != options.tids.end(); }
};

} // namespace loopsnoop::session

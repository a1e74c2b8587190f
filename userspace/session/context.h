// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <set>

#include "base/clock.h"
#include "collector/collector.h"
#include "model/session.h"
#include "process/procfs.h"

namespace loopsnoop::session {

struct StallOptions {
	std::uint64_t threshold_ns = 0;
	std::uint64_t hang_after_ns = 0;
	std::set<std::uint32_t> only_tids; // --tid: no other thread of their processes is a loop; empty: any
	bool children = false;             // what becomes of processes that are forked is reported at the end
	std::uint64_t stuck_after_ns = 0;  // 0: standstills are not looked for
};

// What every part of a session needs, given once. A test gives its own collector, /proc and clock. Const from then on: each part
// keeps a reference to it.
struct Context {
	StallOptions options;
	collector::Collector &collector;
	process::ProcFs proc;
	std::function<void(const Record &)> write;
	std::function<std::uint64_t()> now_ns = monotonic_ns; // CLOCK_MONOTONIC
};

} // namespace loopsnoop::session

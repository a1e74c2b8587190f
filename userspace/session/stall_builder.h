// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "inspect/gil_watch.h"
#include "model/event.h"
#include "model/stall.h"
#include "session/context.h"
#include "session/loop.h"
#include "session/process_facts.h"

namespace loopsnoop::session {

// From what the kernel side saw of one iteration (its account, waits and samples: numbers) to the record of a stall (names,
// resources, a culprit). Changes nothing but the record; what was read while the iteration went on is taken from its Loop. One
// thread. A record takes milliseconds, the first of a program longer.
class StallBuilder {
public:
	StallBuilder(const Context &context, ProcessFacts &facts, const inspect::GilWatch &gil)
	    : context_(context), facts_(facts), gil_(gil) {}

	// Who and when; no causes yet.
	[[nodiscard]] Stall begin(const Loop &loop, std::uint64_t start_ns, std::uint64_t end_ns);
	// An iteration that has ended. `ongoing`: what was reported of it while it went on, with what only a snapshot could show. The
	// record has no id yet.
	[[nodiscard]] Stall ended(const Loop &loop, const IterationEnded &event, std::vector<RawWait> waits,
	                          const std::vector<RawSample> &samples, std::optional<OngoingStall> ongoing);
	// Completes a record that has its breakdown: waits and samples by name, the limits of its cgroup, the GIL, the headline.
	void fill(const Loop &loop, Stall &stall, std::uint64_t iteration, const std::vector<RawWait> &waits,
	          const std::vector<RawSample> &samples);

	// Who had the CPU, where waiting for it was a good part of the stall so far.
	void add_runner(Stall &stall, const std::optional<Runner> &runner);

	// See analysis::cut_to_iteration().
	[[nodiscard]] std::uint64_t waits_cut() const { return waits_cut_; }

private:
	void add_limit(Stall &stall) const;
	void add_waits(const Loop &loop, Stall &stall, const std::vector<RawWait> &waits);
	void add_samples(Stall &stall, const std::vector<RawSample> &samples);

	const Context &context_;
	ProcessFacts &facts_;
	const inspect::GilWatch &gil_;
	std::uint64_t waits_cut_ = 0;
};

} // namespace loopsnoop::session

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/metric_family.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exporter/overview.h"
#include "model/event.h"
#include "model/loss.h"
#include "model/session.h"

namespace loopsnoop::exporter {

// What the metrics say: counted from the session's records, and from the kernel's tables at the moment of a scrape. No counter
// of a loop ever goes down while it lives. Not thread-safe.
class Book {
public:
	// Culprit lines of one process that get series of their own; the rest is counted under function="other".
	static constexpr std::size_t most_culprits = 100;
	// Ended stalls that the status page shows.
	static constexpr std::size_t most_recent = 30;

	Book(std::string version, std::uint64_t threshold_ns) : version_(std::move(version)), threshold_ns_(threshold_ns) {}

	void write(const Record &record);
	// All families, as of `now_ns` (CLOCK_MONOTONIC). Loops that are not in `states` any more are forgotten.
	[[nodiscard]] std::vector<prometheus::MetricFamily> families(std::uint64_t now_ns, const std::vector<LoopState> &states,
	                                                             const LossCounts &lost);
	// The same for people.
	[[nodiscard]] Overview overview(std::uint64_t now_ns, const std::vector<LoopState> &states, const LossCounts &lost) const;

private:
	using Id = std::pair<std::uint32_t, std::uint32_t>; // pid, tid
	using PerCause = std::array<double, cause_count>;
	struct Loop {
		std::string comm;
		Placement placement;
		std::array<std::uint64_t, cause_count> stalls{};
		Breakdown stalled{};                    // of stalls that have ended
		PerCause stalled_shown{}, busy_shown{}; // what the last scrape said, in seconds: a later one never says less
		double idle_shown = 0;
		std::map<Culprit, std::uint64_t> culprits;
		std::optional<Culprit> ongoing;     // of the stall that was looked at last, until it has ended,
		std::uint64_t ongoing_start_ns = 0; // and when that one began
		// Of the iteration that runs in `state`; null: that one has not been looked at.
		[[nodiscard]] std::optional<Culprit> stuck_in(const LoopState &state) const {
			return state.iteration_start_ns <= ongoing_start_ns ? ongoing : std::nullopt;
		}
	};

	[[nodiscard]] static Culprit culprit_of(const Stall &stall);
	void note(const Stall &stall);
	void count(const Stall &stall);
	[[nodiscard]] std::size_t culprits_of(std::uint32_t pid) const;

	std::string version_;
	std::uint64_t threshold_ns_;
	std::map<Id, Loop> loops_;
	std::deque<Overview::Stall> recent_; // latest first
};

} // namespace loopsnoop::exporter

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/metric_family.h>

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exporter/overview.h"
#include "exporter/standstill_metrics.h"
#include "model/event.h"
#include "model/loss.h"
#include "model/session.h"

namespace loopsnoop::exporter {

// What the metrics say: counted from the session's records, and from the kernel's tables at the moment of a scrape. No counter
// of a loop ever goes down while it lives. Not thread-safe.
//
// Series are bounded, because names come from the targets. A loop has at most `max_series_of_loop`: those without a choice, three
// for each of `max_causes` causes (the rest counts as "other"), and `max_culprits_of_loop` lines (the rest counts under
// function="other"), and what StandstillMetrics has. Over all loops there are at most `max_culprits` lines, so many remotes as it
// says, and `max_detailed_loops` loops with more than their iterations and the age of their stall; how many there are beyond is a
// metric, too.
class MetricsState {
public:
	static constexpr std::size_t max_series_of_loop = 60 + StandstillMetrics::max_series_of_loop;
	static constexpr std::size_t max_causes = 8; // "other" included
	static constexpr std::size_t max_culprits_of_loop = 10;
	static constexpr std::size_t max_culprits_of_process = 100;
	static constexpr std::size_t max_culprits = 1000;
	static constexpr std::size_t max_detailed_loops = 400;
	static constexpr std::size_t max_detailed_loops_of_process = 100;
	// Ended stalls that the status page shows.
	static constexpr std::size_t max_recent = 30;

	// A stall is an iteration of at least `threshold_ns`; the page calls a loop stuck once one runs for `hang_after_ns`.
	MetricsState(std::string version, std::uint64_t threshold_ns, std::uint64_t hang_after_ns)
	    : version_(std::move(version)), threshold_ns_(threshold_ns), hang_after_ns_(hang_after_ns) {}

	void write(const Record &record);
	void write(std::vector<ProcessGauges> gauges) { standstills_.write(std::move(gauges)); }
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
		std::string service; // what it is, as far as that stays when its process is started again
		Placement placement;
		std::array<std::uint64_t, cause_count> stalls{};
		Breakdown stalled{};                     // of stalls that have ended
		std::bitset<cause_count> causes_shown{}; // that have series; once one has them it keeps them
		bool detailed = false;                   // has all its series, not only the age of its stall
		PerCause stalled_shown{}, busy_shown{};  // what the last scrape said, in seconds: a later one never says less
		double idle_shown = 0;
		std::map<Culprit, std::uint64_t> culprits;
		std::optional<Culprit> ongoing;     // of the stall that was inspected last, until it has ended,
		std::uint64_t ongoing_start_ns = 0; // and when that one began
		// Of the iteration that runs in `state`; null: that one has not been inspected.
		[[nodiscard]] std::optional<Culprit> stuck_in(const LoopState &state) const {
			return state.iteration_start_ns <= ongoing_start_ns ? ongoing : std::nullopt;
		}
	};
	struct Families;

	[[nodiscard]] static Culprit culprit_of(const Stall &stall);
	void note(const Stall &stall);
	void count(const Stall &stall);
	void count_culprit(std::uint32_t pid, Loop &loop, Culprit culprit);
	[[nodiscard]] bool has_room_for_culprit(std::uint32_t pid, const Loop &loop) const;
	[[nodiscard]] bool has_room_for_loop(std::uint32_t pid) const;
	void add_loop(Families &out, std::uint64_t now_ns, const LoopState &state, Loop &loop) const;
	static void add_causes(Families &out, const std::vector<prometheus::ClientMetric::Label> &base, Loop &loop,
	                       const std::array<std::uint64_t, cause_count> &busy,
	                       const std::array<std::uint64_t, cause_count> &stalled);
	void add_session(Families &out, const LossCounts &lost) const;

	std::string version_;
	std::uint64_t threshold_ns_;
	std::uint64_t hang_after_ns_;
	std::map<Id, Loop> loops_;
	StandstillMetrics standstills_;
	std::uint64_t culprits_withheld_ = 0; // stalls counted under function="other"
	std::deque<Overview::Stall> recent_;  // latest first
};

} // namespace loopsnoop::exporter

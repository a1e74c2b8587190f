// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "model/session.h"
#include "output/palette.h"
#include "summary/line_account.h"

namespace loopsnoop::output {

// Adds up a session's stalls for the tables at its end. Bounded.
class Tally {
public:
	// Whose loop that is, for the lines about loops. Threads of Go have none: they are no loops.
	void name(const LoopFound &loop);
	// Once a stall: its last record.
	void add(const Stall &stall);
	// Each of its records; `is_new`: the first of them.
	void add(const Standstill &standstill, bool is_new);

	// The tables and the loops' totals. `duration_ns` of the session; `threshold_ns` 0: not known.
	// `columns` of the terminal; 0: as wide as they get.
	[[nodiscard]] std::string tables(const SessionSummary &summary, std::uint64_t threshold_ns, const Palette &palette,
	                                 std::size_t columns = 0) const;

	[[nodiscard]] bool empty() const { return all_.count + standstills_.count == 0; }

private:
	static constexpr std::size_t max_rows = 15;
	static constexpr std::size_t max_names = 4096;

	struct Sum {
		std::uint64_t count = 0;
		std::uint64_t total_ns = 0;
		std::uint64_t longest_ns = 0;
		void add(std::uint64_t ns);
	};

	// The first line: how many, how long.
	[[nodiscard]] std::string verdict(const SessionSummary &summary, std::uint64_t threshold_ns, const Palette &palette) const;
	[[nodiscard]] std::string loop_lines(const SessionSummary &summary) const;
	[[nodiscard]] std::string cause_table(std::uint64_t loop_ns, const std::string &of_what, const Palette &palette) const;
	[[nodiscard]] std::string line_table(std::uint64_t loop_ns, const std::string &of_what, const Palette &palette,
	                                     std::size_t columns) const;

	Sum all_;
	Sum standstills_; // without their total
	std::array<Sum, cause_count> by_cause_{};
	summary::LineAccount lines_;
	std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> names_; // by pid and tid; bounded
	std::set<std::uint32_t> go_;                                           // pids; bounded
};

// Losses that are not zero, in words; empty when there are none.
[[nodiscard]] std::string loss_lines(const LossCounts &lost);

} // namespace loopsnoop::output

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "model/session.h"
#include "model/stall.h"

namespace loopsnoop::summary {

// Adds up what all stalls spent in each line, and on what. A stall's time is spread over its lines: of a commit and a Redis call
// in one iteration each has its own. What waits and samples do not explain of a stall is its culprit's, by its cause, if it is
// the greater part of it, and left out otherwise. Bounded.
class LineAccount {
public:
	static constexpr std::size_t max_lines = 1000; // counted each by itself; what comes after them is left out
	static constexpr std::size_t max_shown = 20;

	// A stall that has ended.
	void add(const Stall &stall);
	// Most time first.
	[[nodiscard]] std::vector<LineTotals> lines(std::size_t max = max_shown) const;

private:
	[[nodiscard]] LineTotals *at(const SourceFrame &line, Cause cause, const std::string &on);

	using Key = std::tuple<std::string, std::string, int, Cause, std::string>;
	std::map<Key, LineTotals> lines_;
};

} // namespace loopsnoop::summary

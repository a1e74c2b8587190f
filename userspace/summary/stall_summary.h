// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <limits>
#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

// Fills summary and advice of a stall that analysis::judge() has been over. Pure.
void summarize(Stall &stall);

// What a stall says in its headline: its summary, or, where it has none, the same from its other fields. It names the duration
// and the culprit's line in any case. In fewer columns than that takes it says less: the number of a task that nobody named goes,
// then what customers wait, the ends of chains, the task, the reason why nothing ends it; names are shortened before that, and
// words around the line are left out only when all of it was not enough.
struct Headline {
	std::string text;
	bool whole = true; // it says all that the summary says
};
[[nodiscard]] Headline format_headline(const Stall &stall, std::size_t columns = std::numeric_limits<std::size_t>::max());

// What a line that stands for many such stalls keeps of it: ", held by thread crunch (tid 71) in …", " (its cgroup was throttled
// …)", ", in 2,600 or more callbacks of one iteration"; empty: nothing.
[[nodiscard]] std::string format_finding(const Stall &stall);

} // namespace loopsnoop::summary

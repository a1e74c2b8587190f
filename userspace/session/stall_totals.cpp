// SPDX-License-Identifier: Apache-2.0
#include "session/stall_totals.h"

#include <algorithm>
#include <cstddef>

namespace loopsnoop::session {

void StallTotals::add(const Stall &stall, LoopTotals &loop) {
	lines_.add(stall);
	loop.stalls++;
	loop.stalled_ns += stall.duration_ns;
	loop.longest_ns = std::max(loop.longest_ns, stall.duration_ns);
	for (std::size_t i = 0; i < loop.by_cause.size(); i++) {
		loop.by_cause.at(i).ns += stall.breakdown.at(i).ns;
		loop.by_cause.at(i).count += stall.breakdown.at(i).count;
	}
	stalls_++;
	stalled_ns_ += stall.duration_ns;
}

} // namespace loopsnoop::session

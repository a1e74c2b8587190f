// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "model/session.h"
#include "model/stall.h"
#include "summary/line_account.h"

namespace loopsnoop::session {

// What the stalls of a session come to, for the status line and the summary. A stall counts when it ends, or when the session
// does; never twice. One thread.
class StallTotals {
public:
	[[nodiscard]] std::uint64_t new_id() { return next_id_++; }
	// The last record of a stall: `loop` is the account of its thread.
	void add(const Stall &stall, LoopTotals &loop);

	[[nodiscard]] std::uint64_t stalls() const { return stalls_; }
	[[nodiscard]] std::uint64_t stalled_ns() const { return stalled_ns_; }
	// What the stalls spent in each line.
	[[nodiscard]] std::vector<LineTotals> lines() const { return lines_.lines(); }

private:
	summary::LineAccount lines_;
	std::uint64_t next_id_ = 1;
	std::uint64_t stalls_ = 0;
	std::uint64_t stalled_ns_ = 0;
};

} // namespace loopsnoop::session

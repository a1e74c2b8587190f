// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "collector/tracepoints.h"

namespace loopsnoop::collector {

// Whether the poll calls can be hooked one by one. Decides before loading which of the programs are needed at all.
struct TracepointPlan {
	std::vector<std::pair<std::string, int>> poll_enter, restart, poll_exit, call_enter, call_exit; // name, tracepoint number
	std::vector<std::pair<std::string, int>> open_enter, rename_enter, accept_exit;                 // for `process_history` only
	bool per_call = false; // false: fall back to the raw hooks on every system call
	std::string why_not;
};
// By this machine's tracefs.
[[nodiscard]] TracepointPlan plan_tracepoints(const std::set<std::string> &without, bool process_history);
// By the numbers of those that there are.
[[nodiscard]] TracepointPlan plan_of(const TracepointIds &ids, const std::set<std::string> &without, bool process_history);
// All that a plan may have use for, by name.
[[nodiscard]] std::vector<std::string> wanted_tracepoints();

} // namespace loopsnoop::collector

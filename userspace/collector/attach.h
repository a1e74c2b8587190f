// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "collector/skeleton.h"

namespace loopsnoop::collector {

struct Attachment {
	Link link;
	int event = -1; // of a classic tracepoint; the link owns it
};

struct Attachments {
	std::vector<Attachment> links;
	std::vector<std::string> missing; // what could not be attached, a sentence each
};

// Whether the poll calls can be hooked one by one. Decides before loading which of the programs are needed at all.
struct TracepointPlan {
	std::vector<std::pair<std::string, int>> poll_enter, restart, poll_exit, call_enter, call_exit; // name, tracepoint number
	std::vector<std::pair<std::string, int>> open_enter, rename_enter, accept_exit;                 // for `process_history` only
	bool per_call = false; // false: fall back to the raw hooks on every system call
	std::string why_not;
};
[[nodiscard]] TracepointPlan plan_tracepoints(const std::set<std::string> &without, bool process_history);

[[nodiscard]] Result<Attachments> attach_programs(loopsnoop_bpf &skeleton, const TracepointPlan &plan, bool process_history);
// Takes the programs off again, without waiting for the kernel where that is possible: they may run for two seconds more.
void detach(std::vector<Attachment> &attached);

} // namespace loopsnoop::collector

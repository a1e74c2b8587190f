// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "collector/skeleton.h"
#include "collector/tracepoint_plan.h"

namespace loopsnoop::collector {

struct Attachment {
	Link link;
	int event = -1; // of a classic tracepoint; the link owns it
};

struct Attachments {
	std::vector<Attachment> links;
	std::vector<std::string> missing; // what could not be attached, a sentence each
};

[[nodiscard]] Result<Attachments> attach_programs(loopsnoop_bpf &skeleton, const TracepointPlan &plan, bool process_history);
// Takes the programs off again, without waiting for the kernel where that is possible: they may run for two seconds more.
void detach(std::vector<Attachment> &attached);

} // namespace loopsnoop::collector

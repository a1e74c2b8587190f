// SPDX-License-Identifier: Apache-2.0
#include "session/bystanders.h"

#include "analysis/by_design.h"

namespace loopsnoop::session {

inspect::ProcessSigns Bystanders::signs_of(const Stall &stall) {
	const Process *process = processes_.find(stall.pid);
	const RuntimeKind runtime = facts_.programs.runtime(stall.pid).kind;
	inspect::ProcessSigns signs;
	if (stall.no_loop_yet || stall.truncated == Truncated::before_attach) {
		signs = inspect::read_signs(context_.proc, stall.pid, runtime, process != nullptr && process->from_beginning);
	}
	signs.shape.go = facts_.programs.is_go(stall.pid);
	return signs;
}

bool Bystanders::waits_by_design(const Stall &stall, const inspect::ProcessSigns &signs) const {
	return !context_.asked_for(stall.tid) && analysis::waits_by_design(stall, signs.shape, context_.options.threshold_ns);
}

} // namespace loopsnoop::session

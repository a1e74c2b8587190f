// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "analysis/judge.h"
#include "summary/stall_summary.h"

namespace loopsnoop::analysis_test {

// What a session does with a stall before it reports it.
inline void judge_and_summarize(Stall &stall) {
	analysis::judge(stall);
	summary::summarize(stall);
}

} // namespace loopsnoop::analysis_test

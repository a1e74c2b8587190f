// SPDX-License-Identifier: Apache-2.0
#include "analysis/judge.h"

#include "analysis/culprit.h"
#include "analysis/garbage.h"
#include "analysis/lock_holders.h"

namespace loopsnoop::analysis {

void judge(Stall &stall) {
	infer_holders(stall);
	stall.cause = dominant_cause(stall.breakdown);
	stall.culprit = find_culprit(stall);
	add_garbage(stall);
}

} // namespace loopsnoop::analysis

// SPDX-License-Identifier: Apache-2.0
#include "base/scheduling.h"

#include <sys/prctl.h>
#include <sys/resource.h>

namespace loopsnoop {

void go_before_ordinary_threads() {
	constexpr int niceness = -20;
	(void)setpriority(PRIO_PROCESS, 0, niceness); // of this thread, on Linux
}

void allow_late_wakeups(std::uint64_t slack_ns) { (void)prctl(PR_SET_TIMERSLACK, slack_ns); }

} // namespace loopsnoop

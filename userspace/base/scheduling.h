// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace loopsnoop {

// The calling thread alone goes before ordinary ones (nice -20), as far as it may: without CAP_SYS_NICE nothing changes. No
// real-time priority: the timers of such threads are never joined with others.
void go_before_ordinary_threads();

// The calling thread's timed waits may end so much later, ns: the kernel then joins their wake-ups with others. Each on its own
// takes more from a server on the next core than one would think (`scripts/bench overhead`, its stand-in that only wakes up).
void allow_late_wakeups(std::uint64_t slack_ns);

} // namespace loopsnoop

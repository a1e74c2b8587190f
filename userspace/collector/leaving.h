// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace loopsnoop::collector {

// Closes descriptors where nobody waits for it: in a process of its own, which holds nothing else, in the order given. The kernel
// waits for every CPU to leave a tracepoint whenever a program is taken off it and when its last event goes (`synchronize_rcu` in
// kernel/trace/trace_event_perf.c and kernel/tracepoint.c): some 40 ms each time, two seconds and more for all that loopsnoop
// attaches. The caller's copies are closed by the time it returns, and so may the caller's process be gone. False: no process
// could be made, and nothing is closed.
[[nodiscard]] bool close_elsewhere(std::vector<int> descriptors);

} // namespace loopsnoop::collector

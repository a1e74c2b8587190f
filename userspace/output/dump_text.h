// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "model/dump.h"
#include "output/stall_text.h"

namespace loopsnoop::output {

// Threads of a dump that are shown as one: alike in everything but their names and the addresses they wait on.
using ThreadGroup = std::vector<const ThreadView *>;

// In the order they are shown: the threads of a deadlock, those that hold others up (most held up first), the main thread, those
// that run or hold the GIL, those that wait for a lock somebody holds, the rest by how few are alike. Only the rest is grouped.
[[nodiscard]] std::vector<ThreadGroup> in_shown_order(const Dump &dump);

// All of it, lines each ending in a newline. `style.everything`: every frame, no groups.
[[nodiscard]] std::string dump_text(const Dump &dump, const StallStyle &style);

} // namespace loopsnoop::output

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/dump.h"
#include "model/tasks.h"
#include "output/stall_text.h"

namespace loopsnoop::output {

// All loops of a snapshot, each as a tree: a task, what it waits for, and below it the tasks that it awaits. Branches that are
// equal in everything but their names are one: "104 tasks". Lines each ending in a newline. `style.everything`: every task, every
// frame.
[[nodiscard]] std::string tasks_text(const TaskSnapshot &snapshot, const StallStyle &style);

// Each loop in a few lines: how many tasks there are, and where most of them wait. For `dump`. Empty: no loop's tasks are known.
[[nodiscard]] std::string tasks_in_short(const Dump &dump, const StallStyle &style);

} // namespace loopsnoop::output

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/options.h"

namespace loopsnoop::cli {

// `loopsnoop tasks -p PID`: every task now. The target is not stopped, and nothing is loaded into the kernel.
[[nodiscard]] int run_tasks(const TasksOptions &options);

} // namespace loopsnoop::cli

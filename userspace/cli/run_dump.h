// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli/options.h"

namespace loopsnoop::cli {

// `loopsnoop dump -p PID`: a snapshot of every thread now. The target is not stopped.
[[nodiscard]] int run_dump(const DumpOptions &options);

} // namespace loopsnoop::cli

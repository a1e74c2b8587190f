// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/result.h"
#include "cli/options.h"
#include "process/procfs.h"

namespace loopsnoop::cli {

// The pid of the one process that was chosen. The Error says that none goes by the name, or which ones do where they are several.
[[nodiscard]] Result<std::uint32_t> pid_of(const ProcessChoice &process, const process::ProcFs &proc = process::ProcFs());

} // namespace loopsnoop::cli

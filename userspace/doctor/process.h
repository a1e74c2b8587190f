// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "doctor/doctor.h"
#include "process/procfs.h"
#include "process/status.h"

namespace loopsnoop::doctor {

// What can be seen of one process: whether it can be followed, its runtime, symbols, call-frame information, namespaces. Reads it
// from outside; it is not stopped.
[[nodiscard]] std::vector<Check> examine_process(const process::ProcFs &proc, std::uint32_t pid);

// The same in parts.
[[nodiscard]] Check describe_process(const process::ProcFs &proc, std::uint32_t pid, const process::ProcessStatus &status);
[[nodiscard]] std::vector<Check> examine_runtime(const process::ProcFs &proc, std::uint32_t pid);
// `native`: the program's own code is native, so that its symbols are those that count.
[[nodiscard]] std::vector<Check> examine_files(const process::ProcFs &proc, std::uint32_t pid, bool native);

} // namespace loopsnoop::doctor

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "process/procfs.h"
#include "process/status.h"

namespace loopsnoop::process {

// Whether this is a process that can be followed: it is there, no thread, no zombie, no kernel thread, not loopsnoop. The Error
// is one line for a person. `doing`: what is to be done with it, "follow" or "dump".
[[nodiscard]] Result<ProcessStatus> check_target(const ProcFs &proc, std::uint32_t pid, const std::string &doing = "follow");

} // namespace loopsnoop::process

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace loopsnoop::collector {

// Numbers of tracepoints, as perf_event_open() wants them, by "syscalls/sys_enter_futex". Taken from tracefs where it is mounted;
// where it is not, from a mount that is attached nowhere and gone when this returns: the machine is left as it was. Names that
// this kernel does not have are absent. The Error says why tracefs cannot be had.
[[nodiscard]] Result<std::unordered_map<std::string, int>> tracepoint_ids(const std::vector<std::string> &names);

} // namespace loopsnoop::collector

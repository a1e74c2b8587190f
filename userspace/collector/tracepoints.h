// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace loopsnoop::collector {

// Numbers of tracepoints, as perf_event_open() wants them, by "syscalls/sys_enter_futex".
using TracepointIds = std::unordered_map<std::string, int>;

// Taken from tracefs where it is mounted;
// where it is not, from a mount that is attached nowhere and gone when this returns: the machine is left as it was. Names that
// this kernel does not have are absent. The Error says why tracefs cannot be had.
[[nodiscard]] Result<TracepointIds> tracepoint_ids(const std::vector<std::string> &names);
// Those of the tracefs that is mounted at `root`.
[[nodiscard]] Result<TracepointIds> tracepoint_ids_in(const std::string &root, const std::vector<std::string> &names);

} // namespace loopsnoop::collector

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "collector/collector.h"
#include "model/session.h"
#include "process/procfs.h"

namespace loopsnoop::discovery {

// Processes that people call so (process::goes_by), ascending: of a supervisor and its workers all. The Error says that there are
// none, and what else the name may have been meant for.
[[nodiscard]] Result<std::vector<std::uint32_t>> pids_named(const std::string &name, const process::ProcFs &proc);

// The processes that were named, checked one by one, so that an error names the process that it is about. When there are several,
// those that are gone are listed in `missing`, and the others are followed. `tids`: threads that are loops although they have not
// polled; each must be of one of `pids`, if there are any. `children`: theirs are followed, too. The Error is one line for a
// person.
[[nodiscard]] Result<std::vector<collector::FollowRequest>> requests_for(const std::vector<std::uint32_t> &pids,
                                                                         const std::vector<std::uint32_t> &tids, bool children,
                                                                         const process::ProcFs &proc,
                                                                         std::vector<std::string> &missing);

// With --children: the processes below those that were named, as they are now. Nobody named any of them, so they are followed
// like those that discovery finds; for those that have made an event queue, time counts at once.
[[nodiscard]] std::vector<collector::FollowRequest> descendants_of(const std::vector<collector::FollowRequest> &named,
                                                                   const process::ProcFs &proc);

// A supervisor, a master or a shell that was named serves nobody itself: it has no event queue, and processes below it have one,
// or listen. Those are followed as with --children, which this sets in its request. Returns whose they are.
[[nodiscard]] std::vector<NotFollowed> follow_workers(std::vector<collector::FollowRequest> &named, const process::ProcFs &proc);

// Without --children: the processes below the named ones that have made an event queue and are not named themselves. Of a crowd
// the first few dozen are examined.
[[nodiscard]] std::vector<NotFollowed> not_followed(const std::vector<collector::FollowRequest> &named,
                                                    const process::ProcFs &proc);

} // namespace loopsnoop::discovery

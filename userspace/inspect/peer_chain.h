// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "inspect/inspector.h"
#include "inspect/programs.h"
#include "inspect/resolver.h"
#include "model/stall.h"
#include "process/procfs.h"

namespace loopsnoop::inspect {

// What other processes have to do with a stall that goes on: the one at the other end of what it waits for (a peer, a child, who
// holds a file's lock), and from there on what that one waits for, over a few processes: `peer` and `beyond` of the stall. Each
// costs a snapshot of a few of its threads. True when there is any.
bool follow_peers(Stall &stall, const process::ProcFs &proc, Programs &programs, Resolver &resolver, Inspector &inspector);

// The process is its parent's copy: forked, and the same program with the same arguments since.
[[nodiscard]] bool is_forked_copy(const process::ProcFs &proc, std::uint32_t pid);

} // namespace loopsnoop::inspect

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/event.h"
#include "process/memory.h"
#include "process/procfs.h"

namespace loopsnoop::collector {

struct LiveCall {
	Cause cause = Cause::other;
	WaitTarget target;
};

// What a sleeping thread waits for, read from outside while it sleeps: the same answer the kernel side gives when it sees a
// thread go to sleep. `memory` is the target's; what cannot be read stays unknown. Of a thread that moved on meanwhile the answer
// may be of neither wait: the caller checks that it did not.
[[nodiscard]] LiveCall read_live_call(const ThreadSnapshot &snapshot, const process::ProcFs &proc, const process::Memory &memory);

} // namespace loopsnoop::collector

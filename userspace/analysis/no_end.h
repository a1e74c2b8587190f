// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "model/stall.h"

namespace loopsnoop::analysis {

// A thread that has nothing to do until another one gives it something: a worker of an executor, a thread of the runtime's own.
// By its stack, as it was at one moment.
[[nodiscard]] bool waits_for_work(const ThreadView &thread);

// Why nothing that is there can end the wait of a stall that goes on: a lock, a future, a queue that only a thread of the same
// process could do something about, and there is none, or all others wait for work. What a signal's handler may do is left out.
// nullopt: somebody may end it, or nobody knows. `forked`: the process is its parent's copy, and has not become another program.
[[nodiscard]] std::optional<NoEnd> find_no_end(const Stall &stall, bool forked);

// Whether all threads but the stall's own have nothing to do.
[[nodiscard]] bool others_wait_for_work(const Stall &stall);

} // namespace loopsnoop::analysis

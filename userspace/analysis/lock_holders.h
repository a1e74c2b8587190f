// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/stall.h"

namespace loopsnoop::analysis {

// Who ended a wait that is over, when that was another thread of the loop's own process; nullptr otherwise.
[[nodiscard]] const Waker *own_waker(const Stall &stall, const Wait &wait);

// For a lock that names no owner, or was not read while it was waited for: who released it at the end is taken for its holder, as
// inferred. Not for what one thread notifies another by: conditions, semaphores, events.
void infer_holders(Stall &stall);

} // namespace loopsnoop::analysis

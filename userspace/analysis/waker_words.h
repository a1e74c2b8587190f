// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/stall.h"

namespace loopsnoop::analysis {

// Who ended a wait, when that was another thread of the loop's own process. Of other processes the resource tells more.

// For a lock that names no owner, or was not looked at while it was waited for: who released it at the end is taken for its
// holder, as inferred. Not for what one thread tells another by: conditions, semaphores, events.
void infer_holders(Stall &stall);

// " woken by worker_3 (tid 12) at app.py:12", or, where the sentence has named that thread as the holder before, " released at
// …". Empty when there is nothing to say: it still waits, or an interrupt or another process ended the wait.
[[nodiscard]] std::string woken_words(const Stall &stall, const Wait &wait);

} // namespace loopsnoop::analysis

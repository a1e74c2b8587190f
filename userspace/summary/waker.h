// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

// " woken by worker_3 (tid 12) at app.py:12", or, where the sentence has named that thread as the holder before, " released at
// …". Empty when there is nothing to say: it still waits, or an interrupt or another process ended the wait, of which the
// resource says more.
[[nodiscard]] std::string format_waker(const Stall &stall, const Wait &wait);

// Of whatever ended a wait of a thread of process `own_pid`: "woken by an interrupt", "woken by worker_3 (tid 12) at app.py:12",
// "woken by redis-server (pid 812)". The target's strings stand as they are in both.
[[nodiscard]] std::string format_waker(const Waker &waker, std::uint32_t own_pid);

} // namespace loopsnoop::summary

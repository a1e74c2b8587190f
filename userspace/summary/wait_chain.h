// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "model/stall.h"

namespace loopsnoop::summary {

// The links of a wait-for graph. Names stand as the target has them: whoever prints them makes them printable.

// "worker (tid 12)"
[[nodiscard]] std::string format_thread(const ThreadView &thread);
// What a thread does that waits for no lock with a known holder: "is in write() to a full pipe read by fluentd (pid 980)".
[[nodiscard]] std::string format_activity(const ThreadView &thread);

// Of a chain as analysis::WaitGraph has it, its first thread being the subject of the sentence: "waits for a mutex held by worker
// (tid 12) at app.py:30, which is in write() to …". Long chains are cut in the middle, and those of more than `most` links after
// that many: ", …". Empty when the first one waits for no held lock.
[[nodiscard]] std::string format_wait_chain(const std::vector<const ThreadView *> &links,
                                            std::size_t most = std::numeric_limits<std::size_t>::max());

} // namespace loopsnoop::summary

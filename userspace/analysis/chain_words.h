// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "model/resource.h"
#include "model/stall.h"

namespace loopsnoop::analysis {

// The links of a wait-for graph in words. Names come from the target as they are: whoever prints them makes them printable.

// "worker (tid 12)"
[[nodiscard]] std::string name_words(const ThreadView &thread);
// "a mutex", "Python's GIL", "logging.Handler.lock"; what is waited for, without its address.
[[nodiscard]] std::string lock_words(const FutexResource &lock);
// " at app.py:30": the application's innermost line; empty when no frame of it is known.
// Of native frames the innermost that is not in a header.
[[nodiscard]] std::string place_words(const ThreadView &thread);
[[nodiscard]] std::string place_words(const Stack &stack);
// What a thread does that waits for no lock with a known holder: "is in write() to a full pipe read by fluentd (pid 980)".
[[nodiscard]] std::string doing_words(const ThreadView &thread);

// Of a chain as WaitGraph has it, the first thread being the one that is told of: "waits for a mutex held by worker (tid 12) at
// app.py:30, which is in write() to …". Long chains are cut in the middle. Empty when the first one waits for no held lock.
[[nodiscard]] std::string tell_chain(const std::vector<const ThreadView *> &links);

} // namespace loopsnoop::analysis

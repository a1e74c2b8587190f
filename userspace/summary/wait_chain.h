// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "model/stall.h"

namespace loopsnoop::summary {

// The links of a wait-for graph. Names stand as the target has them: whoever prints them makes them printable.

// "worker (tid 12)"
[[nodiscard]] std::string format_thread(const ThreadView &thread);
// Before the thread that holds the lock: "waits for a mutex probably held by", "waits for the end of"; with `addresses` "waits
// for a mutex (0x7f11) held by".
enum class Addresses : std::uint8_t { without, with };
[[nodiscard]] std::string format_held_by(const FutexResource &lock, Addresses addresses = Addresses::without);
// After a holder that is not among the threads.
inline constexpr std::string_view no_thread_here = ", which is no thread of this process";
// What a thread does that waits for no lock with a known holder: "is in write() to a full pipe read by fluentd (pid 980)".
[[nodiscard]] std::string format_activity(const ThreadView &thread);

// Of a chain as analysis::WaitGraph has it, its first thread being the subject of the sentence: "waits for a mutex held by worker
// (tid 12) at app.py:30, which is in write() to …". Long chains are cut in the middle, and those of more than `links_said` links
// after that many: ", …". Empty when the first one waits for no held lock.
[[nodiscard]] std::string format_wait_chain(const std::vector<const ThreadView *> &links,
                                            std::size_t links_said = std::numeric_limits<std::size_t>::max());

} // namespace loopsnoop::summary

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "model/stall.h"

namespace loopsnoop::summary {

// A thread as its snapshot has it. What it does in a sentence about others is in wait_chain.h.

// Of ThreadView::moved: what is reported of it may be of two moments.
inline constexpr std::string_view ran_on = "ran on while it was inspected";

// "sleeping for 1.00 s in write() on pipe fd 1, holds the GIL". Printable.
[[nodiscard]] std::string format_state(const ThreadView &thread);

} // namespace loopsnoop::summary

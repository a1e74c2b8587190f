// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "model/stall.h"

namespace loopsnoop::analysis {

// The wait that explains most of the stall: the longest one of the stall's cause, or the longest at all. nullptr: none.
[[nodiscard]] const Wait *main_wait(const Stall &stall);

// The application's innermost line of a stack. Native frames count only in stacks without interpreter frames.
[[nodiscard]] std::optional<SourceFrame> culprit_of(const Stack &stack);

// The application's own line that the stall's cause comes down to; nullopt when no stack of it has one. Native frames count
// only in stacks without interpreter frames. For `cpu` it is the line with most samples.
[[nodiscard]] std::optional<SourceFrame> find_culprit(const Stall &stall);

} // namespace loopsnoop::analysis

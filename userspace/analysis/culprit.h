// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "model/stall.h"

namespace loopsnoop::analysis {

// The wait that explains most of the stall: the longest one of the stall's cause, or the longest at all. nullptr: none.
[[nodiscard]] const Wait *main_wait(const Stall &stall);

// The wait for a lock that the loop's thread is in, where that is part of a deadlock: whatever the stall was before, this is what
// it never gets out of. nullptr: it is in none.
[[nodiscard]] const Wait *deadlocked_wait(const Stall &stall);

// The application's innermost line of a stack. Native frames count only in stacks without interpreter frames.
[[nodiscard]] std::optional<SourceFrame> culprit_of(const Stack &stack);

// What a loop that goes round without sleeping calls: of the stacks that its thread had at several moments (innermost frame
// first), the application's line that lies further in than what they all have in common, the most frequent one. nullopt: none
// was met in a callback.
[[nodiscard]] std::optional<SourceFrame> callback_of(std::vector<std::vector<SourceFrame>> moments);

// The application's own line that the stall's cause comes down to; nullopt when no stack of it has one. Native frames count
// only in stacks without interpreter frames. For `cpu` it is the line with most samples.
[[nodiscard]] std::optional<SourceFrame> find_culprit(const Stall &stall);

} // namespace loopsnoop::analysis

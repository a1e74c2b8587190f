// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

// Collecting was most of it: then it is what the stall was.
[[nodiscard]] bool is_garbage_collection(const Stall &stall);
// Of such a stall: "garbage collection (generation 2) for 1.05 s of it, begun", before the place of the allocation that set it
// off.
[[nodiscard]] std::string format_garbage_collection(const Stall &stall);
// "; garbage collection took 1.1 s of it", where that is a tenth or more and not most of it; empty otherwise.
[[nodiscard]] std::string format_garbage(const Stall &stall);
// What to do where collecting was most of it; nullopt otherwise.
[[nodiscard]] std::optional<std::string> garbage_advice(const Stall &stall);

} // namespace loopsnoop::summary

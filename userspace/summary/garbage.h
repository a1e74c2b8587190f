// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

// "; garbage collection took 1.1 s of it", where that is a tenth or more; empty otherwise.
[[nodiscard]] std::string format_garbage(const Stall &stall);
// What to do where collecting was most of it; nullopt otherwise.
[[nodiscard]] std::optional<std::string> garbage_advice(const Stall &stall);

} // namespace loopsnoop::summary

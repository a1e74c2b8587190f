// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

// What is around a stall.

// "startup: no event loop seen yet, nothing listening 2.4 s after the process began: ", or that the process is about to end;
// empty: neither.
[[nodiscard]] std::string format_startup(const Stall &stall);

} // namespace loopsnoop::summary

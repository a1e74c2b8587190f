// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

// "; no other thread can end this: the process has only this one"; empty: somebody may end it, or it is not known.
[[nodiscard]] std::string format_no_end(const Stall &stall);

} // namespace loopsnoop::summary

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "model/session.h"

namespace loopsnoop::summary {

// A sentence each: how many lived how long and who of them served; what ended them while doing what; which file was written
// before.
[[nodiscard]] std::vector<std::string> format_restarts(const Restarts &restarts);

} // namespace loopsnoop::summary

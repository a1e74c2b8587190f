// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

// "10 ms of CPU in each 100 ms", "a memory limit of 40 MiB"
[[nodiscard]] std::string format_limit(const CgroupLimit &limit);

} // namespace loopsnoop::summary

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/standstill.h"
#include "output/stall_text.h"

namespace loopsnoop::output {

// What follows the summary: advice, the groups of tasks, customers, upstreams, threads. Lines, each ending in a newline.
[[nodiscard]] std::string standstill_details(const Standstill &standstill, const StallStyle &style);

} // namespace loopsnoop::output

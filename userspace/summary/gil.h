// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

// "held by thread worker (tid 71) in crunch (/srv/report.py:17)"; empty: nobody is known.
[[nodiscard]] std::string format_gil_holder(const Stall &stall);

} // namespace loopsnoop::summary

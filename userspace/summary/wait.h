// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

// What a wait waits for: "waiting for an answer from 127.0.0.1:5432 of postgres (pid 812)". Names stand as the target has them:
// whoever prints them makes them printable.
[[nodiscard]] std::string format_wait(const Wait &wait);

} // namespace loopsnoop::summary

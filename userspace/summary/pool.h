// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

// Of a stall with a `pool`: "waiting for SQLAlchemy's connection pool: its connections leaked, or …".
[[nodiscard]] std::string format_pool_wait(const Stall &stall);

} // namespace loopsnoop::summary

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

// Of a stall with a `pool`: "waiting for SQLAlchemy's connection pool to get one back: no other thread of this process uses one
// now, …".
[[nodiscard]] std::string format_pool_wait(const Stall &stall);

} // namespace loopsnoop::summary

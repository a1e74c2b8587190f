// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/stall.h"

namespace loopsnoop::analysis {

// The pool that a stack waits for, in words: "SQLAlchemy's connection pool"; empty: it waits for none that is known.
[[nodiscard]] std::string_view pool_of(const Stack &stack);

// What the wait that explains the stall is for, when that is something of a pool, and which other threads of the process may have
// it: those in the code of the pool's library. nullopt: no such wait, or the threads were not inspected. Pure.
[[nodiscard]] std::optional<PoolWait> find_pool_wait(const Stall &stall);

} // namespace loopsnoop::analysis

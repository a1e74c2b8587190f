// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/stack.h"
#include "model/stall.h"

namespace loopsnoop::analysis {

// SQLite does not wait for its locks in the kernel: it sleeps and tries again. Pure.

// Whether it is SQLite itself that sleeps there: its library, or a program that has it within, is what called the sleep.
[[nodiscard]] bool sleeps_in_sqlite(const Stack &stack);

// Whether it is such a wait, and its database is known.
[[nodiscard]] bool is_database_wait(const Wait &wait);

} // namespace loopsnoop::analysis

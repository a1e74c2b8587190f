// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "model/stall.h"

namespace loopsnoop::summary {

// ", which itself waits for an answer from this process at other.py:12", and so on down the chain of processes; empty: it is
// idle, or not known.
[[nodiscard]] std::string format_peer_activity(const Stall &stall);

// What a backend of PostgreSQL says in its title that it does: "UPDATE waiting", "idle in transaction"; empty: it is none.
[[nodiscard]] std::string_view activity_in_title(std::string_view title);

} // namespace loopsnoop::summary

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "model/stall.h"

namespace loopsnoop::summary {

// What to do about a stall whose cause and waits are known, in one line; nullopt unless it is sure what blocks and that an event
// loop runs there: a server that is meant to block, thread by thread, needs no advice about loops. Pure.
[[nodiscard]] std::optional<std::string> advice_for(const Stall &stall);

} // namespace loopsnoop::summary

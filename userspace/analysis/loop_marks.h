// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/stack.h"

namespace loopsnoop::analysis {

// Whether the stack says that its thread runs an event loop, whatever it does at the moment: a frame of it is the function in
// which a well-known loop goes round. How a loop is recognised that froze before anybody saw it poll. Native names are those that
// the libraries export, or that programs with symbols have.
[[nodiscard]] bool runs_event_loop(const Stack &stack);

} // namespace loopsnoop::analysis

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "model/stall.h"

namespace loopsnoop::analysis {

// What is around a stall; pure.

// Whether a stall is one of a process that has not served anybody yet: it listens on nothing, or connections wait that nobody has
// accepted; and no loop of it was seen, or the loop is in the middle of an import. `listening`: nullopt: not known.
[[nodiscard]] bool is_startup(const Stall &stall, const std::optional<std::vector<Listener>> &listening);

// What the wait that explains the stall is for in the end: its own resource, or that of the last thread that it waits for over
// locks. nullptr: not known.
[[nodiscard]] const Resource *last_resource(const Stall &stall);

// The process at the other end of that; nullptr: none is known.
[[nodiscard]] const Peer *last_peer(const Stall &stall);

} // namespace loopsnoop::analysis

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "inspect/inspector.h"
#include "inspect/programs.h"
#include "model/event.h"
#include "model/stall.h"

namespace loopsnoop::inspect {

// Puts the threads of one process together, after each was viewed by itself. `snapshots`: what the views were made from; the
// memory that they show was read after it.
//
// Adds who holds the GIL: in `holds_gil` of each, and as the holder of what the others wait for, where that is the GIL. Where
// there is none, or it changes hands meanwhile, nothing is added and `holds_gil` stays null.
// Takes a second snapshot, and marks those as moved that have run since. All that is reported of the others was so at one moment.
// Returns a deadlock as analysis::WaitGraph has it, asked for from `start`.
[[nodiscard]] std::optional<std::vector<std::uint32_t>> complete_views(Inspector &inspector, Programs &programs,
                                                                       std::uint32_t pid,
                                                                       std::span<const ThreadSnapshot> snapshots,
                                                                       std::vector<ThreadView> &threads, std::uint32_t start);

// What the view of the stall's own thread knows of the lock that it waits for now, which its waits do not: who holds it, by its
// name. True when there was something.
bool complete_wait(Stall &stall, const ThreadView &own);

} // namespace loopsnoop::inspect

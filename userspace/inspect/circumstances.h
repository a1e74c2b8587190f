// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "analysis/circumstances.h"
#include "inspect/inspector.h"
#include "model/stall.h"
#include "process/procfs.h"

namespace loopsnoop::inspect {

// What is around a stall that goes on: read from outside while it does. Sets `startup`, `pool` and `peer`; true: there was
// something to set, and the stall is to be summarized anew. Goes through the process's descriptors, and inspects a few other
// processes at most. `signs`: of a process whose loop may not have begun; nullopt: it has, or nothing is known of it.
bool add_circumstances(Stall &stall, const std::optional<analysis::ServingSigns> &signs, const process::ProcFs &proc,
                       Programs &programs, Resolver &resolver, Inspector &inspector);

} // namespace loopsnoop::inspect

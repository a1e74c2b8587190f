// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "model/stall.h"
#include "process/procfs.h"

namespace loopsnoop::inspect {

// Bytes of V8's old generation at most, by an option on Node's command line (--max-old-space-size=MiB); nullopt: none is given.
[[nodiscard]] std::optional<std::uint64_t> old_space_limit(std::span<const std::string> arguments);

// Of a stall that was a garbage collection of V8 for the most part: adds to its `gc` how much the heap may hold, and how much
// memory the process has. True: something was added. Reads the command line and /proc/PID/statm of nobody else.
bool add_heap_limit(Stall &stall, const process::ProcFs &proc);

} // namespace loopsnoop::inspect

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "analysis/by_design.h"
#include "analysis/circumstances.h"
#include "model/session.h"
#include "process/procfs.h"

namespace loopsnoop::inspect {

// What a process is, as far as it can be seen from outside: its descriptors, its files, the processes below it.
struct ProcessSigns {
	analysis::ProcessShape shape;                  // `go` is not set here
	std::optional<analysis::ServingSigns> serving; // nullopt: its descriptors may not be read, or it is gone
};

// `from_beginning`: it is followed since before its program's first instruction. Goes through its descriptors, those of the
// processes below it (some dozens), and the socket tables of its network namespace.
[[nodiscard]] ProcessSigns read_signs(const process::ProcFs &proc, std::uint32_t pid, RuntimeKind runtime, bool from_beginning);

// Whether a process or one of those below it (some dozens) listens on something or has made an event queue.
[[nodiscard]] bool has_workers(const process::ProcFs &proc, std::uint32_t pid);

} // namespace loopsnoop::inspect

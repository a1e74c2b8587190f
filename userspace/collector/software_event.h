// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/result.h"
#include "base/unique_fd.h"
#include "collector/skeleton.h"

namespace loopsnoop::collector {

// A perf event of one thread with a program of ours on it. Whoever destroys it takes both away.
struct SoftwareEvent {
	Link link;
	int descriptor = -1; // the link owns it
};

// One of the kernel's own events, of one thread (0: this one), on whatever CPU: it interrupts the thread at each `period` of it.
// Switched off.
[[nodiscard]] Result<UniqueFd> open_software_event(std::uint32_t tid, std::uint64_t event, std::uint64_t period);

// The same, switched on, with `program` run at each of these moments. The Error's code is ESRCH for a thread that has ended.
[[nodiscard]] Result<SoftwareEvent> attach_software_event(std::uint32_t tid, std::uint64_t event, std::uint64_t period,
                                                          const bpf_program *program);

} // namespace loopsnoop::collector

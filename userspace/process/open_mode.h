// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "process/procfs.h"

namespace loopsnoop::process {

// How a descriptor is open now, from /proc/PID/fdinfo/FD. nullopt: gone, or not shown by this kernel.
struct OpenMode {
	bool reads = false;
	bool writes = false;
};
[[nodiscard]] std::optional<OpenMode> open_mode(const ProcFs &procfs, std::uint32_t pid, std::uint32_t fd);

} // namespace loopsnoop::process

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "process/procfs.h"

namespace loopsnoop::process {

// How a CPU limit (cpu.max, cpu.cfs_quota_us) held a cgroup back, since that cgroup was made: compare two readings.
struct CpuThrottling {
	std::uint64_t throttled = 0;    // periods in which the quota ran out
	std::uint64_t throttled_ns = 0; // summed over CPUs
};

// From the text of cpu.stat, v2 (`throttled_usec`) or v1 (`throttled_time`, ns). nullopt: no limit can be set there.
[[nodiscard]] std::optional<CpuThrottling> parse_cpu_stat(std::string_view text);

// Of the cgroup that the process is in and those above it, added up, as a limit may be set on any of them. cgroup v2 and v1;
// the mount points are those of our own mount namespace. nullopt: no CPU controller, not mounted, or the process is gone.
[[nodiscard]] std::optional<CpuThrottling> cpu_throttling(const ProcFs &procfs, std::uint32_t pid);

} // namespace loopsnoop::process

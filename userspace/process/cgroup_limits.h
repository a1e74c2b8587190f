// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/stall.h"
#include "process/procfs.h"

namespace loopsnoop::process {

// The limits of the cgroups that a process is in: the tightest one set on its own or any above it, with that cgroup's path, as
// /proc/PID/cgroup has it. v2 and v1; the mount points are those of our own mount namespace. nullopt: there is none, or it is not
// known. Costs some 100 us.
[[nodiscard]] std::optional<CgroupLimit> cpu_limit(const ProcFs &procfs, std::uint32_t pid);
[[nodiscard]] std::optional<CgroupLimit> memory_limit(const ProcFs &procfs, std::uint32_t pid);

// From the text of cpu.max: "10000 100000"; nullopt: "max".
struct CpuQuota {
	std::uint64_t quota_us = 0;
	std::uint64_t period_us = 0;
};
[[nodiscard]] std::optional<CpuQuota> parse_cpu_max(std::string_view text);

} // namespace loopsnoop::process

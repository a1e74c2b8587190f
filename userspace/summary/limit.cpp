// SPDX-License-Identifier: Apache-2.0
#include "summary/limit.h"

#include <fmt/format.h>

#include "base/duration.h"

namespace loopsnoop::summary {

std::string format_limit(const CgroupLimit &limit) {
	constexpr std::uint64_t mebibyte = 1ULL << 20U;
	if (limit.memory_bytes) {
		return *limit.memory_bytes >= mebibyte ? fmt::format("a memory limit of {} MiB", *limit.memory_bytes / mebibyte)
		                                       : fmt::format("a memory limit of {} KiB", *limit.memory_bytes / 1024);
	}
	return fmt::format("{} of CPU in each {}", format_rounded_duration(limit.cpu_quota_ns.value_or(0)),
	                   format_rounded_duration(limit.cpu_period_ns.value_or(0)));
}

} // namespace loopsnoop::summary

// SPDX-License-Identifier: Apache-2.0
#include "process/pid_identity.h"

#include <utility>

#include "base/clock.h"

namespace loopsnoop::process {

bool PidIdentity::is_another(const ProcFs &procfs, std::uint32_t pid) {
	constexpr std::uint64_t valid_ns = 100'000'000;
	const std::uint64_t now = monotonic_ns();
	if (now < next_ns_) {
		return false;
	}
	next_ns_ = now + valid_ns;
	const auto status = procfs.status(pid);
	if (!status) {
		return false;
	}
	const std::uint64_t before = std::exchange(start_ticks_, status->start_time_ticks);
	return before != 0 && before != start_ticks_;
}

} // namespace loopsnoop::process

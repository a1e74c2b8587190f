// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "process/procfs.h"

namespace loopsnoop::process {

// Whose pid it is, for processes whose end nobody reports to us. One object for each pid, and for what is kept of it; one thread.
class PidIdentity {
public:
	// True: the pid belongs to another process than at the last call; the first call learns whose it is. /proc is read each 100
	// ms at most, because stalls and stacks may come by the thousand. False, too, when the process is gone.
	[[nodiscard]] bool is_another(const ProcFs &procfs, std::uint32_t pid);
	// /proc is read the next time, however soon that is.
	void expire() { next_ns_ = 0; }

private:
	std::uint64_t start_ticks_ = 0; // ProcessStatus::start_time_ticks; 0: not known
	std::uint64_t next_ns_ = 0;
};

} // namespace loopsnoop::process

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace loopsnoop::bench {

struct Runs {
	std::uint64_t count = 0;
	std::uint64_t ns = 0; // reading the clock around each run is in it, some 20 ns
};

// The kernel counts the runs of all BPF programs of the host, and their time, as long as the descriptor is open
// (BPF_ENABLE_STATS).
[[nodiscard]] Result<UniqueFd> count_runs();

// The BPF programs that this process has descriptors of, by name: what ran of them so far.
[[nodiscard]] std::map<std::string, Runs> own_programs();

} // namespace loopsnoop::bench

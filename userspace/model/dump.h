// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/stall.h"

namespace loopsnoop {

// One look at every thread of a process: `loopsnoop dump`.
struct Dump {
	std::uint32_t pid = 0;
	std::string comm;
	std::uint64_t start_ns = 0; // when the look began, CLOCK_MONOTONIC
	std::string started_at;     // RFC 3339
	std::uint64_t look_ns = 0;  // from its first thread to its last: what is told of two threads is that far apart
	std::vector<ThreadView> threads;
	std::optional<std::vector<std::uint32_t>> deadlock;
	std::optional<LeftOut> left_out; // when the record was too large
};

} // namespace loopsnoop

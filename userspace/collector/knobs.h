// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "abi/knobs.h"
#include "collector/collector.h"

namespace loopsnoop::collector {

// What the programs are told before they are loaded, and how large their tables are, from what was asked for.

// Of CPU time between two samples of a loop thread.
[[nodiscard]] std::uint64_t sample_period_of(const CollectorOptions &options);
// `pid_level`: own_pid_level().
[[nodiscard]] ls_knobs knobs_of(const CollectorOptions &options, std::uint32_t pid_level);
[[nodiscard]] std::uint32_t ring_bytes(const CollectorOptions &options);
// Of one element of the table of captures.
[[nodiscard]] std::uint32_t capture_bytes(const CollectorOptions &options);

} // namespace loopsnoop::collector

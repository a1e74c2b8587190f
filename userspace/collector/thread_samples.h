// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "collector/collector.h"
#include "collector/skeleton.h"

namespace loopsnoop::collector {

// Collector::sample_threads, with `program` run at each sample; `drain` hands over what the ring buffer has. For this room alone.
[[nodiscard]] std::vector<std::uint32_t> sample_threads(const SamplingRequest &request, const bpf_program *program,
                                                        const std::function<void(const std::function<void(Event &&)> &)> &drain,
                                                        const std::function<void(RawSample &&)> &sink);

} // namespace loopsnoop::collector

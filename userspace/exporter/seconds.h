// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace loopsnoop::exporter {

// As Prometheus wants durations.
[[nodiscard]] constexpr double seconds(std::uint64_t ns) { return static_cast<double>(ns) / static_cast<double>(ns_per_s); }

} // namespace loopsnoop::exporter

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace loopsnoop::exporter {

// As Prometheus wants durations.
[[nodiscard]] constexpr double seconds(std::uint64_t ns) {
	constexpr double ns_per_second = 1e9;
	return static_cast<double>(ns) / ns_per_second;
}

} // namespace loopsnoop::exporter

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace loopsnoop::exporter {

// The usual process_* of this process, read from /proc now; what cannot be read is left out.
[[nodiscard]] std::vector<prometheus::MetricFamily> own_process_families();

} // namespace loopsnoop::exporter

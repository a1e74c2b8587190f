// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace loopsnoop::collector {

// Routes libbpf's messages: to stderr when verbose, else kept so that the last warning can explain a failure.
void route_libbpf_log(bool verbose);
[[nodiscard]] std::string last_libbpf_warning();

} // namespace loopsnoop::collector

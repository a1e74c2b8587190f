// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace loopsnoop::collector {

// How deep loopsnoop's own pid namespace lies: 0 is the host's. Pids on the wire are translated to it.
[[nodiscard]] std::uint32_t own_pid_level();

} // namespace loopsnoop::collector

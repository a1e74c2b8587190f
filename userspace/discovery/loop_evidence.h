// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "process/procfs.h"

namespace loopsnoop::discovery {

// Whether the process has an epoll descriptor or an io_uring, which loops are made with, among the first thousand of its
// descriptors.
[[nodiscard]] bool has_event_queue(const process::ProcFs &proc, std::uint32_t pid);

} // namespace loopsnoop::discovery

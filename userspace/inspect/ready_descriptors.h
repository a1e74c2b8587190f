// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "inspect/resolver.h"
#include "model/descriptor.h"
#include "process/procfs.h"

namespace loopsnoop::inspect {

// Descriptors that an epoll descriptor of the process watches for input and reports at each poll call, as long as there is some:
// level-triggered ones. Ascending.
[[nodiscard]] std::vector<int> level_triggered(const process::ProcFs &proc, std::uint32_t pid, int epoll_fd);

// Whether there is input for good, as far as it can be seen from outside: the other end of a connection or a pipe is closed. Of a
// counter that is not zero, or of connections that wait to be accepted, nobody knows whether it is the same a moment later.
[[nodiscard]] bool seems_ready(Resolver &resolver, std::uint32_t pid, const DescriptorSnapshot &descriptor);

} // namespace loopsnoop::inspect

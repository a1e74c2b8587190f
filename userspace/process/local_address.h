// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "process/procfs.h"
#include "process/socket_address.h"

namespace loopsnoop::process {

// Whether the address (its port apart) is one of the network namespace that `pid` is in, loopback included: what is sent there
// does not leave it. From /proc/PID/net/fib_trie and if_inet6.
[[nodiscard]] bool is_local_address(const ProcFs &procfs, std::uint32_t pid, const SocketAddress &address);

} // namespace loopsnoop::process

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "process/procfs.h"
#include "process/serving_sockets.h"

namespace loopsnoop::discovery {

// Whether the process has an epoll descriptor or an io_uring, which loops are made with, among the first thousand of its
// descriptors.
[[nodiscard]] bool has_event_queue(const process::ProcFs &proc, std::uint32_t pid);

[[nodiscard]] bool has_several_event_queues(const process::ProcFs &proc, std::uint32_t pid);

// Runtimes run children in a loop that lives as long as the call (Node's execSync(), Bun's spawnSync()). Of a thread that sleeps
// on the epoll descriptor `waits_on`: the descriptor of the application's own loop, which watches network sockets and on which no
// thread waits; nullopt: the one that it waits on is as good as any. `waited_on`: those of all its threads; `sockets`: of the
// process.
[[nodiscard]] std::optional<int> interrupted_loop(const process::ProcFs &proc, std::uint32_t pid,
                                                  const process::ServingSockets &sockets, int waits_on,
                                                  const std::set<int> &waited_on);

} // namespace loopsnoop::discovery

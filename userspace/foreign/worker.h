// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "base/result.h"
#include "base/unique_fd.h"
#include "foreign/perform.h"

namespace loopsnoop::foreign {

// More of them than that are never alive at a time: those that hang in a file system stay until it answers, whatever is done.
inline constexpr std::size_t max_workers = 24;

// What the spawner is asked for by a number: 0 for a new worker, else to kill that pid.
inline constexpr std::int64_t new_worker = 0;

struct Spawner {
	UniqueFd socket; // of requests (send_file) and answers: the worker's pid, or -errno, and its end of a socket
	pid_t pid = -1;
};

// Forks a process that forks workers when asked to. To be called before the process has threads, mappings and descriptors that no
// worker should have. The spawner itself opens nothing, so it always answers; it and its workers end with this process, as
// soon as the kernel lets them go. They keep no descriptor of ours, no terminal and no working directory, no right but to inspect
// other processes and to read their files (CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE for map_files), and get
// none back through an execve.
[[nodiscard]] Result<Spawner> fork_spawner(Perform perform);

} // namespace loopsnoop::foreign

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace loopsnoop::process {

// A main thread may end while others go on. It stays as a zombie then, and its folder of /proc, which is the process's, has no
// memory, program, descriptors or mounts any more; the others' folders have. /proc/TID is there for each thread, though not
// listed (fs/proc/base.c, proc_pid_lookup). Any thread of ours may call.

// Whether a process whose main thread has ended goes on. One that does is remembered, for `stand_in`.
[[nodiscard]] bool goes_on_without_main(const std::string &proc_root, std::uint32_t pid);
// Whose folder, and whose memory, is to be read for that process: its own, or that of a thread that lives.
[[nodiscard]] std::uint32_t stand_in(const std::string &proc_root, std::uint32_t pid);

} // namespace loopsnoop::process

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "process/procfs.h"

namespace loopsnoop::runtimes {

// Whether a process runs a program that Go's tool chain has linked: its threads take turns at one epoll descriptor, and none of
// them is a loop. It is known by the note with Go's build id (cmd/link, "Go\0\0", type 4), which stripping leaves. Reads a few
// KiB of the executable; false when it cannot be read.
[[nodiscard]] bool is_go_program(const process::ProcFs &proc, std::uint32_t pid);

} // namespace loopsnoop::runtimes

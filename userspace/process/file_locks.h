// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "process/procfs.h"

namespace loopsnoop::process {

// A line of /proc/locks (fs/locks.c, lock_get_status): "7: FLOCK  ADVISORY  WRITE 812 fe:00:5678 0 EOF"; who waits for that lock
// comes after it, with the same number and an arrow: "7: -> FLOCK  ADVISORY  WRITE 4711 fe:00:5678 0 EOF".
struct FileLockLine {
	std::uint64_t number = 0;
	bool waits = false;
	std::int64_t pid = 0;     // of the process, in the PID namespace of this /proc; -1: an open file description's lock has none
	std::uint64_t device = 0; // of the file's file system
	std::uint64_t inode = 0;
	bool writes = false;     // exclusive
	std::uint64_t start = 0; // the first byte that is locked
};
[[nodiscard]] std::optional<FileLockLine> parse_file_lock(std::string_view line);

// The process that holds the file lock that a thread of this one waits for now (flock, fcntl); `inode`: of the file, 0 where it
// is not known, and any file will do then. nullopt: it waits for none, or the holder is not known.
[[nodiscard]] std::optional<std::uint32_t> file_lock_holder(const ProcFs &proc, std::uint32_t pid, std::uint64_t inode);

} // namespace loopsnoop::process

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "process/procfs.h"

namespace loopsnoop::process {

struct LockedDatabase {
	std::string path; // as the process sees it
	std::uint32_t holder = 0;
};

// The SQLite database, of those that the process has open, whose lock keeps it from going on now, and the process that holds it
// (itself, where another one of its connections does). SQLite does not wait in the kernel for its locks, it tries again and
// again; so the holder is whoever has locked the bytes that SQLite locks (sqlite: src/os.h, src/os_unix.c). nullopt: there is
// none, or it is not certain which, as when several are locked. Reads the first thousand of the process's descriptors.
[[nodiscard]] std::optional<LockedDatabase> locked_database(const ProcFs &proc, std::uint32_t pid);

} // namespace loopsnoop::process

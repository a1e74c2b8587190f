// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "process/memory.h"
#include "process/procfs.h"
#include "runtimes/cpython/version.h"
#include "runtimes/mapped_file.h"

namespace loopsnoop::runtimes::cpython {

// How the version was found, surest first.
enum class VersionFrom : std::uint8_t {
	runtime,   // _Py_DebugOffsets in the process (>= 3.13)
	symbol,    // Py_Version (>= 3.11)
	strings,   // 3.9, 3.10: the one string "3.<minor>.<micro>" among the constants, the minor from the file's name or constants
	file_name, // "python3.9", "libpython3.9.so.1.0": no micro
};

// CPython in the address space of a process: its symbols at run time. Nothing of this says that it is initialised.
struct Location {
	std::uint64_t runtime = 0;   // _PyRuntime
	std::uint64_t code_type = 0; // PyCode_Type, 0: not known
	Version version;
	VersionFrom version_from = VersionFrom::file_name;
};

// A file name like "libpython3.11.so.1.0".
[[nodiscard]] bool is_libpython(std::string_view path);

// Examines the executable and each mapped libpython3*.so. Opens files of the target, reads symbol tables: some milliseconds.
// nullopt: not CPython, older than 3.7 (no _PyRuntime), stripped of its dynamic symbols, or not ours to read. Who asks again
// hands in `without`, so that a large file is not searched each time for what is not in it.
[[nodiscard]] std::optional<Location> locate(const process::ProcFs &proc, std::uint32_t pid, const process::Memory &memory,
                                             FilesWithout *without = nullptr);

} // namespace loopsnoop::runtimes::cpython

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/session.h"
#include "process/procfs.h"

namespace loopsnoop::runtimes {

// Which runtime a process is of, from the files it has mapped; anything not recognised is native, a process that is gone or
// not ours to read, too. Of a native program with the language of what it runs, where that is known. A program that embeds
// CPython (uwsgi, gdb) is cpython. Takes some milliseconds, reads no file as a whole. Ask again after exec(), and when a library
// that embeds a runtime may have been loaded since.
[[nodiscard]] Runtime detect(const process::ProcFs &proc, std::uint32_t pid);

// A sentence that says why the frames of a process's interpreter cannot be read, however long one waits: a CPython whose structs
// are not known. nullopt: they can, or it has no such interpreter, or only has none yet.
[[nodiscard]] std::optional<std::string> why_unreadable(const process::ProcFs &proc, std::uint32_t pid);

} // namespace loopsnoop::runtimes

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "model/resource.h"
#include "process/memory.h"
#include "process/procfs.h"
#include "runtimes/cpython/interpreter.h"

namespace loopsnoop::locks {

// The living thread of a process that its lock names, with our tid and its name; nullopt: there is none. May be called by any
// thread; reads /proc.

// By the tid as the target's own PID namespace counts it.
[[nodiscard]] std::optional<Holder> thread_by_inner_tid(const process::ProcFs &proc, std::uint32_t pid, std::uint64_t inner_tid);

// By pthread_self(), as CPython's locks name it: through the interpreter's threads (an owner always has a PyThreadState).
[[nodiscard]] std::optional<Holder> thread_by_ident(const process::ProcFs &proc, std::uint32_t pid, const process::Memory &memory,
                                                    const runtimes::cpython::Interpreter &interpreter, std::uint64_t ident);

} // namespace loopsnoop::locks

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "model/capture.h"
#include "model/resource.h"
#include "model/stack.h"
#include "process/memory.h"
#include "process/procfs.h"
#include "runtimes/cpython/interpreter.h"
#include "runtimes/cpython/waiting_frames.h"

namespace loopsnoop::locks {

// A lock as it was at one moment while a thread waited for it.
struct LockView {
	LockKind lock = LockKind::unknown;
	std::optional<std::string> type; // as FutexResource has it
	std::optional<Holder> holder;    // nullopt: nobody, not known, or it changed while it was read
	std::uint64_t object = 0;        // as FutexResource has it
	std::optional<QueueFill> full;   // as FutexResource has it
};

// How the target is seen; each part may be stood in for in tests.
struct LockScene {
	const process::Memory &memory;
	// The thread still waits on that futex at this moment.
	std::function<bool()> still_waits;
	std::function<std::optional<Holder>(std::uint64_t)> by_inner_tid; // see thread_names.h
	std::function<std::optional<Holder>(std::uint64_t)> by_ident;     // empty: the process has no CPython
	// The import lock that the thread waits for by that lock object, if it is one; empty: as above.
	std::function<std::optional<runtimes::cpython::ImportLock>(std::uint64_t)> import_lock;
	// pthread_self() of the thread that it joins, 0: none; empty: as above.
	std::function<std::uint64_t()> joined;
	// The full queue.Queue that it puts something into; empty: as above.
	std::function<std::optional<QueueFill>()> full_queue;
};

// What the thread that `stack` was taken of waits for, asleep in futex(); `named` are the same frames by name. The owner is read
// twice, and between the two the thread must still have been waiting: a holder is named only if both say the same.
[[nodiscard]] LockView view_lock(const RawStack &stack, const Stack &named, const LockScene &scene);

// The same of a live process. `interpreter`: its CPython, nullptr when it has none. Takes some ten system calls.
[[nodiscard]] LockView view_lock(const process::ProcFs &proc, const RawStack &stack, const Stack &named,
                                 runtimes::cpython::Interpreter *interpreter);

// What lock that was, of a wait that is over: never a holder, and an import lock has no name.
[[nodiscard]] LockView name_lock(const RawStack &stack, const Stack &named, bool has_python);

} // namespace loopsnoop::locks

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "model/capture.h"
#include "process/memory.h"

namespace loopsnoop::locks {

// Lock objects of CPython (Modules/_threadmodule.c), x86-64, not a debug nor a free-threaded build.
//
// 3.9 to 3.13: lockobject.lock_lock and rlockobject.rlock_lock (16) point to a sem_t (Python/thread_pthread.h), whose first word
// is what a thread waits on; rlockobject.rlock_owner is at 24.
// 3.14: a PyMutex is in the object (16), in an RLock the first member of a _PyRecursiveMutex, whose `thread` is at 24
// (Include/internal/pycore_lock.h). Who waits for a PyMutex sleeps on a semaphore of its own, member `sema` (16) of the struct
// wait_entry on its stack, whose `addr` (8) is the PyMutex (Python/parking_lot.c).
struct PythonLock {
	std::uint64_t object = 0;
	bool reentrant = false; // an RLock, which knows its owner; the plain lock does not
	bool operator==(const PythonLock &) const = default;
};

// Whose lock a futex is. The object is searched for among the registers and the innermost words of the waiting thread's stack,
// and believed only when it is of a lock's type and its lock is this futex. nullopt: none.
[[nodiscard]] std::optional<PythonLock> find_python_lock(const process::Memory &memory, std::uint64_t futex_address,
                                                         const RawStack &stack);

// pthread_self() of the thread that holds an RLock; 0: nobody, or it is no RLock any more.
[[nodiscard]] std::uint64_t read_rlock_owner(const process::Memory &memory, std::uint64_t object);

} // namespace loopsnoop::locks

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "process/memory.h"

namespace loopsnoop::locks {

// Locks of glibc on x86-64, read from outside while the target runs. Any address may be asked for, so nothing is believed that
// does not look like such a lock.

struct MutexReading {
	std::string type;            // "pthread mutex", "recursive pthread mutex", …
	std::uint32_t owner_tid = 0; // as the target's own PID namespace counts; 0: nobody, or not (yet) written down
	bool operator==(const MutexReading &) const = default;
};
// struct __pthread_mutex_s (sysdeps/x86/nptl/bits/struct_mutex.h): __lock 0, __owner 8, __kind 16, the same since 2.0 of NPTL;
// the kinds' bits from nptl/pthreadP.h. `locks_pi`: the thread waits by FUTEX_LOCK_PI, so the word's owner is the kernel's word.
// nullopt: not readable, or not a kind that there is.
[[nodiscard]] std::optional<MutexReading> read_mutex(const process::Memory &memory, std::uint64_t address, bool locks_pi);

// struct __pthread_rwlock_arch_t (sysdeps/x86/nptl/bits/struct_rwlock.h, glibc >= 2.25): threads wait on __readers 0,
// __wrphase_futex 8 or __writers_futex 12; the writer is in __cur_writer 24 (set and cleared in nptl/pthread_rwlock_common.c and
// pthread_rwlock_unlock.c). Where the lock begins that a futex belongs to; nullopt unless a writer holds it (readers leave no
// name) and just one place looks like it.
[[nodiscard]] std::optional<std::uint64_t> find_rwlock(const process::Memory &memory, std::uint64_t futex_address);
// The writer's tid in the target's own PID namespace; 0: no writer has it, or nothing there looks like a lock.
[[nodiscard]] std::uint32_t read_rwlock_writer(const process::Memory &memory, std::uint64_t address);

} // namespace loopsnoop::locks

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/capture.h"
#include "model/stack.h"

namespace loopsnoop::locks {

// What a thread asleep in futex() asked for, by its registers (include/uapi/linux/futex.h).
struct FutexCall {
	std::uint64_t address = 0;
	bool within_process = false; // FUTEX_PRIVATE_FLAG, and no time-out: only a thread of the same process ends it
	bool locks_pi = false;       // FUTEX_LOCK_PI: the word holds its owner's tid, by the kernel's own protocol
};
// nullopt: no registers, not in futex(), or an operation that waits for no lock in this way (requeueing, waking).
[[nodiscard]] std::optional<FutexCall> futex_call(const RawStack &stack);

// What kind of call of the C library the thread sleeps in.
enum class LibraryLock : std::uint8_t { none, mutex, rwlock };
// By the names of the innermost frames: those that only wait, and those without a name in the same file (libraries come
// stripped of their internal symbols), are passed over; the first other name decides. malloc's arenas and other locks inside
// the C library use the same waiting functions: they are none.
[[nodiscard]] LibraryLock library_lock(std::span<const NativeFrame> frames);

} // namespace loopsnoop::locks

// SPDX-License-Identifier: Apache-2.0
#include "locks/futex_call.h"

#include <linux/futex.h>
#include <sys/syscall.h>

#include <algorithm>
#include <string_view>

#include "arch/cpu.h"

namespace loopsnoop::locks {

namespace {

// "__GI___pthread_mutex_lock" → "pthread_mutex_lock", "do_futex_wait.constprop.0" → "do_futex_wait"
std::string_view plain_name(std::string_view name) {
	name = name.substr(0, name.find('.'));
	const auto strip = [&] { name.remove_prefix(std::min(name.find_first_not_of('_'), name.size())); };
	strip();
	if (name.starts_with("GI_")) {
		name.remove_prefix(3);
		strip();
	}
	return name;
}

// glibc nptl/lowlevellock.c and futex-internal.c, sysdeps/nptl/lowlevellock.h; musl src/thread/__timedwait.c, syscall_cp.
bool only_waits(std::string_view name) {
	return name.starts_with("lll_") || name.starts_with("futex_") || name == "syscall" || name == "timedwait" ||
	       name == "timedwait_cp" || name.starts_with("syscall_cp");
}

} // namespace

std::optional<FutexCall> futex_call(const RawStack &stack) {
	if (!stack.have_registers) {
		return std::nullopt;
	}
	// The kernel keeps the arguments of a system call in the saved registers.
	const auto argument = [&](std::size_t i) { return stack.registers.r[arch::syscall_arguments[i]]; };
	FutexCall call;
	call.address = argument(0);
	call.within_process = (argument(1) & FUTEX_PRIVATE_FLAG) != 0 && argument(3) == 0; // the fourth is the time-out
	switch (static_cast<int>(argument(1) & static_cast<unsigned>(FUTEX_CMD_MASK))) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET: return call;
	case FUTEX_LOCK_PI:
	case 13: // FUTEX_LOCK_PI2, Linux 5.14: newer than some headers
		call.locks_pi = true;
		return call;
	default: return std::nullopt;
	}
}

LibraryLock library_lock(std::span<const NativeFrame> frames) {
	constexpr std::size_t max_frames = 6;
	for (const NativeFrame &frame : frames.first(std::min(frames.size(), max_frames))) {
		if (!frame.function) {
			if (!frame.module || frame.module != frames.front().module) {
				return LibraryLock::none;
			}
			continue;
		}
		const std::string_view name = plain_name(*frame.function);
		if (only_waits(name)) {
			continue;
		}
		// pthread_mutex_lock, _timedlock, _clocklock, _lock_full, and _cond_lock: a condition's wait that has to get its mutex
		// back.
		if (name.starts_with("pthread_mutex_") && name.find("lock") != std::string_view::npos) {
			return LibraryLock::mutex;
		}
		if (name.starts_with("pthread_rwlock_") &&
		    (name.find("rdlock") != std::string_view::npos || name.find("wrlock") != std::string_view::npos)) {
			return LibraryLock::rwlock;
		}
		return LibraryLock::none;
	}
	return LibraryLock::none;
}

} // namespace loopsnoop::locks

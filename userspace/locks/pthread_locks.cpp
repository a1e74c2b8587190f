// SPDX-License-Identifier: Apache-2.0
#include "locks/pthread_locks.h"

#include <linux/futex.h>

#include <array>
#include <cstddef>

namespace loopsnoop::locks {

namespace {

struct Mutex {
	std::uint32_t word;
	std::uint32_t count;
	std::uint32_t owner;
	std::uint32_t users;
	std::uint32_t kind;
};

// nptl/pthreadP.h, enum of PTHREAD_MUTEX_..._NP
constexpr std::uint32_t kind_base = 3; // 0 normal, 1 recursive, 2 error-checking, 3 adaptive
constexpr std::uint32_t kind_robust = 16;
constexpr std::uint32_t kind_inherit = 32;
constexpr std::uint32_t kind_protect = 64;
constexpr std::uint32_t kind_shared = 128;
constexpr std::uint32_t kind_elision = 256 | 512;
constexpr std::uint32_t kind_all = kind_base | kind_robust | kind_inherit | kind_protect | kind_shared | kind_elision;

std::string type_of(std::uint32_t kind) {
	std::string type;
	if ((kind & kind_robust) != 0) {
		type += "robust ";
	}
	if ((kind & kind_inherit) != 0) {
		type += "priority-inheriting ";
	} else if ((kind & kind_protect) != 0) {
		type += "priority-protected ";
	}
	constexpr std::array<const char *, 4> bases{"", "recursive ", "error-checking ", "adaptive "};
	return type + bases.at(kind & kind_base) + "pthread mutex";
}

struct Rwlock {
	std::uint32_t readers;
	std::uint32_t writers;
	std::uint32_t phase_futex;
	std::uint32_t writers_futex;
	std::uint32_t pad3;
	std::uint32_t pad4;
	std::uint32_t writer;
	std::uint32_t shared;
	std::uint8_t elision;
	std::array<std::uint8_t, 7> pad1;
	std::uint64_t pad2;
	std::uint32_t flags;
	std::uint32_t end;
};

// Held by a writer, and every field with a value that it can have then.
bool held_by_writer(const Rwlock &lock) {
	constexpr std::uint32_t write_phase_and_locked = 3; // PTHREAD_RWLOCK_WRPHASE | PTHREAD_RWLOCK_WRLOCKED
	constexpr std::uint32_t max_futex = 3;              // 1, and PTHREAD_RWLOCK_FUTEX_USED
	constexpr std::uint32_t max_flags = 2;              // PTHREAD_RWLOCK_PREFER_…
	return lock.writer != 0 && (lock.writer & ~std::uint32_t{FUTEX_TID_MASK}) == 0 &&
	       (lock.readers & write_phase_and_locked) == write_phase_and_locked && lock.phase_futex <= max_futex &&
	       lock.writers_futex <= max_futex && lock.pad3 == 0 && lock.pad4 == 0 && lock.shared <= 1 && lock.pad2 == 0 &&
	       lock.flags <= max_flags;
}

} // namespace

std::optional<MutexReading> read_mutex(const process::Memory &memory, std::uint64_t address, bool locks_pi) {
	const auto mutex = memory.read_value<Mutex>(address);
	if (!mutex) {
		return std::nullopt;
	}
	const bool known = (mutex->kind & ~kind_all) == 0;
	if (!known && !locks_pi) {
		return std::nullopt;
	}
	MutexReading reading;
	// Another C library may keep its kind elsewhere; that a PI futex holds its owner's tid is the kernel's rule.
	reading.type = known ? type_of(mutex->kind | (locks_pi ? kind_inherit : 0)) : "priority-inheriting pthread mutex";
	if (locks_pi || (mutex->kind & (kind_robust | kind_inherit)) != 0) {
		reading.owner_tid = mutex->word & FUTEX_TID_MASK;
	} else if (mutex->word != 0 && (mutex->owner & ~std::uint32_t{FUTEX_TID_MASK}) == 0) {
		reading.owner_tid = mutex->owner;
	}
	return reading;
}

std::optional<std::uint64_t> find_rwlock(const process::Memory &memory, std::uint64_t futex_address) {
	std::optional<std::uint64_t> found;
	for (const std::size_t offset : {offsetof(Rwlock, phase_futex), offsetof(Rwlock, writers_futex), offsetof(Rwlock, readers)}) {
		if (futex_address < offset || (futex_address - offset) % alignof(std::uint64_t) != 0) {
			continue;
		}
		if (read_rwlock_writer(memory, futex_address - offset) != 0) {
			if (found) {
				return std::nullopt;
			}
			found = futex_address - offset;
		}
	}
	return found;
}

std::uint32_t read_rwlock_writer(const process::Memory &memory, std::uint64_t address) {
	const auto lock = memory.read_value<Rwlock>(address);
	return lock && held_by_writer(*lock) ? lock->writer : 0;
}

} // namespace loopsnoop::locks

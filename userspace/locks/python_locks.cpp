// SPDX-License-Identifier: Apache-2.0
#include "locks/python_locks.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace loopsnoop::locks {

namespace {

constexpr std::uint64_t object_type = 8; // PyObject.ob_type
constexpr std::uint64_t object_body = 16;
constexpr std::uint64_t rlock_owner = 24;
constexpr std::uint64_t type_name = 24; // PyTypeObject.tp_name, after a PyVarObject
constexpr std::uint64_t entry_addr = 8; // struct wait_entry
constexpr std::uint64_t entry_sema = 16;

// From the system call to lock_PyThread_acquire_lock() are some 600 bytes of frames of libc and the interpreter.
constexpr std::size_t searched_bytes = 2048;

// nullopt: neither kind of lock.
std::optional<bool> is_reentrant(const process::Memory &memory, std::uint64_t type) {
	const auto name_at = memory.read_value<std::uint64_t>(type + type_name);
	if (!name_at) {
		return std::nullopt;
	}
	constexpr std::size_t longest = 16;
	const auto name = memory.read_string(*name_at, longest);
	if (name == "_thread.RLock") {
		return true;
	}
	return name == "_thread.lock" ? std::optional(false) : std::nullopt;
}

// Words that may be pointers to objects: each once, innermost first.
std::vector<std::uint64_t> candidates(const RawStack &stack) {
	std::vector<std::uint64_t> found;
	const auto add = [&](std::uint64_t word) {
		constexpr std::uint64_t lowest = 0x10000, highest = 0x7fffffffffff; // vm.mmap_min_addr, and the end of user space
		if (word >= lowest && word <= highest && word % alignof(std::uint64_t) == 0 &&
		    std::find(found.begin(), found.end(), word) == found.end()) {
			found.push_back(word);
		}
	};
	std::for_each(stack.registers.r.begin(), stack.registers.r.end(), add);
	const std::size_t bytes = std::min(stack.stack_bytes.size(), searched_bytes);
	for (std::size_t at = 0; at + sizeof(std::uint64_t) <= bytes; at += sizeof(std::uint64_t)) {
		std::uint64_t word = 0;
		std::memcpy(&word, &stack.stack_bytes[at], sizeof word);
		add(word);
	}
	return found;
}

std::optional<PythonLock> by_semaphore(const process::Memory &memory, std::uint64_t futex_address, const RawStack &stack) {
	for (const std::uint64_t object : candidates(stack)) {
		const auto words = memory.read_value<std::array<std::uint64_t, 2>>(object + object_type); // type, lock
		if (!words || (*words)[1] != futex_address) {
			continue;
		}
		if (const auto reentrant = is_reentrant(memory, (*words)[0])) {
			return PythonLock{object, *reentrant};
		}
	}
	return std::nullopt;
}

std::optional<PythonLock> by_wait_entry(const process::Memory &memory, std::uint64_t futex_address, const RawStack &stack) {
	const std::uint64_t sp = stack.registers.sp();
	if (futex_address < sp + entry_sema || futex_address - sp > searched_bytes) {
		return std::nullopt; // not a variable of the waiting functions
	}
	// As it was when the stack was copied, if it was: the wait may be over.
	const std::uint64_t entry = futex_address - entry_sema + entry_addr;
	const std::uint64_t at = entry - stack.stack_address;
	std::uint64_t mutex = 0;
	if (at < stack.stack_bytes.size() && stack.stack_bytes.size() - at >= sizeof mutex) {
		std::memcpy(&mutex, &stack.stack_bytes[at], sizeof mutex);
	} else {
		mutex = memory.read_value<std::uint64_t>(entry).value_or(0);
	}
	if (mutex < object_body) {
		return std::nullopt;
	}
	const std::uint64_t object = mutex - object_body;
	const auto type = memory.read_value<std::uint64_t>(object + object_type);
	const auto reentrant = type ? is_reentrant(memory, *type) : std::nullopt;
	return reentrant ? std::optional(PythonLock{object, *reentrant}) : std::nullopt;
}

} // namespace

std::optional<PythonLock> find_python_lock(const process::Memory &memory, std::uint64_t futex_address, const RawStack &stack) {
	if (!stack.have_registers) {
		return std::nullopt;
	}
	const auto parked = by_wait_entry(memory, futex_address, stack);
	return parked ? parked : by_semaphore(memory, futex_address, stack);
}

std::uint64_t read_rlock_owner(const process::Memory &memory, std::uint64_t object) {
	const auto type = memory.read_value<std::uint64_t>(object + object_type);
	if (!type || !is_reentrant(memory, *type).value_or(false)) {
		return 0;
	}
	return memory.read_value<std::uint64_t>(object + rlock_owner).value_or(0);
}

} // namespace loopsnoop::locks

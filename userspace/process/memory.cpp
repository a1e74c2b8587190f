// SPDX-License-Identifier: Apache-2.0
#include "process/memory.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace loopsnoop::process {

std::optional<std::string> Memory::read_string(std::uint64_t address, std::size_t max_bytes) const {
	// Pieces, so that a short string before unmapped memory is found and a huge `max_bytes` costs nothing.
	std::string text;
	std::array<std::byte, 256> piece{};
	while (text.size() < max_bytes) {
		const std::size_t wanted = std::min(piece.size(), max_bytes - text.size());
		const std::size_t got = read_some(address + text.size(), std::span(piece).first(wanted));
		const auto *const bytes = reinterpret_cast<const char *>(piece.data());
		if (const void *nul = std::memchr(bytes, 0, got); nul != nullptr) {
			return text.append(bytes, static_cast<const char *>(nul));
		}
		if (got < wanted) {
			return std::nullopt;
		}
		text.append(bytes, got);
	}
	return text;
}

std::size_t TargetMemory::read_some(std::uint64_t address, std::span<std::byte> into) const {
	std::size_t done = 0;
	while (done < into.size()) {
		const std::uint64_t from = address + done;
		if (from < address) {
			break; // garbage pointers wrap around
		}
		const iovec local{into.data() + done, into.size() - done};
		const iovec remote{reinterpret_cast<void *>(from), into.size() - done}; // NOLINT(performance-no-int-to-ptr)
		// The kernel copies page by page (mm/process_vm_access.c, process_vm_rw_single_vec): a hole ends the copy early.
		const ssize_t got = process_vm_readv(pid_, &local, 1, &remote, 1, 0);
		if (got <= 0) {
			break;
		}
		done += static_cast<std::size_t>(got);
	}
	return done;
}

} // namespace loopsnoop::process

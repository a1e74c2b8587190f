// SPDX-License-Identifier: Apache-2.0
#include "process/memory.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

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

void Memory::read_many(std::span<Piece> pieces) const {
	for (Piece &piece : pieces) {
		piece.read = read(piece.address, piece.into);
	}
}

void TargetMemory::read_many(std::span<Piece> pieces) const {
	constexpr std::size_t most = 1024;
	std::vector<iovec> local;
	std::vector<iovec> remote;
	for (std::size_t begin = 0; begin < pieces.size();) {
		local.clear();
		remote.clear();
		for (const Piece &piece : pieces.subspan(begin, std::min(most, pieces.size() - begin))) {
			local.push_back({piece.into.data(), piece.into.size()});
			remote.push_back({reinterpret_cast<void *>(piece.address), piece.into.size()}); // NOLINT(performance-no-int-to-ptr)
		}
		const ssize_t got = process_vm_readv(pid_, local.data(), local.size(), remote.data(), remote.size(), 0);
		// It ends at the first byte that cannot be read (process_vm_readv(2)): that piece is left out, and those after it are
		// asked for anew.
		auto left = static_cast<std::size_t>(std::max<ssize_t>(got, 0));
		std::size_t done = 0;
		while (done < local.size() && left >= local[done].iov_len) {
			left -= local[done].iov_len;
			pieces[begin + done].read = true;
			++done;
		}
		if (done < local.size()) {
			pieces[begin + done].read = false;
			++done;
		}
		begin += done;
	}
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

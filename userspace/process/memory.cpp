// SPDX-License-Identifier: Apache-2.0
#include "process/memory.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "foreign/access.h"

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

void TargetMemory::read_many(std::span<Piece> pieces) const { foreign::access().memory(pid_, pieces); }

std::size_t TargetMemory::read_some(std::uint64_t address, std::span<std::byte> into) const {
	return foreign::access().memory(pid_, address, into);
}

} // namespace loopsnoop::process

// SPDX-License-Identifier: Apache-2.0
#include "stacks/byte_source.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace loopsnoop::stacks {

std::optional<std::vector<std::uint8_t>> ByteSource::read_bytes(std::uint64_t offset, std::uint64_t bytes) const {
	if (offset > size() || bytes > size() - offset) {
		return std::nullopt;
	}
	std::vector<std::uint8_t> result(bytes);
	if (read_some(offset, result) != result.size()) {
		return std::nullopt;
	}
	return result;
}

std::string ByteSource::read_string(std::uint64_t offset, std::size_t max_bytes) const {
	std::string text;
	std::array<std::uint8_t, 128> piece{};
	while (text.size() < max_bytes) {
		const std::size_t got =
		    read_some(offset + text.size(), std::span(piece).first(std::min(piece.size(), max_bytes - text.size())));
		const auto *const begin = reinterpret_cast<const char *>(piece.data());
		const std::size_t length = strnlen(begin, got);
		text.append(begin, length);
		if (length < got || got == 0) {
			break;
		}
	}
	return text;
}

std::size_t FileBytes::read_some(std::uint64_t offset, std::span<std::uint8_t> into) const {
	if (offset >= size()) {
		return 0;
	}
	return file_->read_some(offset, std::as_writable_bytes(into.first(std::min<std::uint64_t>(into.size(), size() - offset))));
}

std::size_t MemoryBytes::read_some(std::uint64_t offset, std::span<std::uint8_t> into) const {
	if (offset >= bytes_.size()) {
		return 0;
	}
	const std::size_t count = std::min(into.size(), bytes_.size() - offset);
	std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), count, into.begin());
	return count;
}

} // namespace loopsnoop::stacks

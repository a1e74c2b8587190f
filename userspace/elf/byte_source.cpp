// SPDX-License-Identifier: Apache-2.0
#include "elf/byte_source.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "elf/work_limit.h"

namespace loopsnoop::elf {
namespace {

std::atomic<std::size_t> &unpacked_bytes() {
	static std::atomic<std::size_t> all = 0;
	return all;
}

} // namespace

UnpackedRoom::UnpackedRoom(std::uint64_t bytes) : bytes_(unpacked_bytes()) { bytes_.add(bytes); }

std::unique_ptr<UnpackedRoom> UnpackedRoom::take(std::uint64_t bytes) {
	if (bytes > max_bytes_of_all - std::min<std::uint64_t>(unpacked_bytes(), max_bytes_of_all)) {
		WorkLimit::refuse();
		return nullptr;
	}
	return std::make_unique<UnpackedRoom>(bytes);
}

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
	const std::size_t got =
	    file_->read_some(offset, std::as_writable_bytes(into.first(std::min<std::uint64_t>(into.size(), size() - offset))));
	WorkLimit::count_bytes(got);
	return got;
}

std::size_t MemoryBytes::read_some(std::uint64_t offset, std::span<std::uint8_t> into) const {
	if (offset >= bytes_.size()) {
		return 0;
	}
	const std::size_t count = std::min(into.size(), bytes_.size() - offset);
	std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), count, into.begin());
	return count;
}

} // namespace loopsnoop::elf

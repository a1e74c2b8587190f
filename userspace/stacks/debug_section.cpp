// SPDX-License-Identifier: Apache-2.0
#include "stacks/debug_section.h"

#include <elf.h>
#include <zlib.h>

#include <algorithm>

namespace loopsnoop::stacks {
namespace {

constexpr std::size_t max_string_bytes = 4096;
constexpr std::uint64_t max_unpacked_bytes = 16ULL * 1024 * 1024; // libc's .debug_line has 2 MiB
constexpr std::uint64_t max_growth = 4096;                        // zlib adds some bytes to what cannot be packed

std::shared_ptr<const elf::ByteSource> unpack(const elf::Image &image, const elf::Section &section) {
	const auto header = image.bytes().read<Elf64_Chdr>(section.offset);
	if (!header || section.bytes < sizeof(*header) || header->ch_type != ELFCOMPRESS_ZLIB ||
	    header->ch_size > max_unpacked_bytes) {
		return nullptr;
	}
	auto room = elf::UnpackedRoom::take(header->ch_size);
	// What is packed is smaller, or somebody made it so that it is not.
	const auto packed = room && section.bytes <= header->ch_size + sizeof(*header) + max_growth
	                        ? image.bytes().read_bytes(section.offset + sizeof(*header), section.bytes - sizeof(*header))
	                        : std::nullopt;
	if (!packed) {
		return nullptr;
	}
	std::vector<std::uint8_t> bytes(header->ch_size);
	uLongf length = bytes.size();
	if (uncompress(bytes.data(), &length, packed->data(), packed->size()) != Z_OK || length != bytes.size()) {
		return nullptr;
	}
	return std::make_shared<elf::UnpackedBytes>(std::move(room), std::move(bytes));
}

} // namespace

DebugSection::DebugSection(const std::shared_ptr<const elf::Image> &image, std::string_view name) {
	const elf::Section *const section = image->section(name);
	if (section == nullptr || section->type == SHT_NOBITS) {
		return;
	}
	if ((section->flags & SHF_COMPRESSED) != 0) {
		source_ = unpack(*image, *section);
		bytes_ = source_ ? source_->size() : 0;
		unpacked_ = true;
		return;
	}
	source_ = std::shared_ptr<const elf::ByteSource>(image, &image->bytes());
	offset_ = section->offset;
	bytes_ = section->bytes;
}

std::vector<std::uint8_t> DebugSection::read_up_to(std::uint64_t offset, std::uint64_t bytes) const {
	if (!holds(offset, 0)) {
		return {};
	}
	return read_bytes(offset, std::min(bytes, bytes_ - offset)).value_or(std::vector<std::uint8_t>());
}

std::optional<std::vector<std::uint8_t>> DebugSection::read_bytes(std::uint64_t offset, std::uint64_t bytes) const {
	return source_ && holds(offset, bytes) ? source_->read_bytes(offset_ + offset, bytes) : std::nullopt;
}

std::string DebugSection::read_string(std::uint64_t offset) const {
	if (!source_ || !holds(offset, 1)) {
		return {};
	}
	return source_->read_string(offset_ + offset, std::min<std::uint64_t>(max_string_bytes, bytes_ - offset));
}

} // namespace loopsnoop::stacks

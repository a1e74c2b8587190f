// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "stacks/byte_source.h"

namespace loopsnoop::stacks {

struct ElfSegment {
	std::uint64_t offset = 0;
	std::uint64_t address = 0;
	std::uint64_t file_bytes = 0;
	std::uint64_t memory_bytes = 0;
	bool executable = false;
};

struct ElfSection {
	std::string name;
	std::uint32_t type = 0;
	std::uint64_t flags = 0;
	std::uint64_t address = 0;
	std::uint64_t offset = 0;
	std::uint64_t bytes = 0; // as it lies in the file: compressed sections are not opened
	std::uint32_t link = 0;
};

// The headers of one 64-bit little-endian x86-64 ELF file (elf.h), each value checked against the size of the file.
// Headers that are broken count as missing. "Address" is the ELF virtual address throughout this room.
class ElfImage {
public:
	// nullopt: not such a file.
	[[nodiscard]] static std::optional<ElfImage> read(std::shared_ptr<const ByteSource> bytes);

	[[nodiscard]] const ByteSource &bytes() const { return *bytes_; }
	[[nodiscard]] const std::vector<ElfSection> &sections() const { return sections_; }
	[[nodiscard]] const ElfSection *section(std::string_view name) const;
	[[nodiscard]] std::uint64_t entry() const { return entry_; }
	// Lower-case hexadecimal, empty when there is none.
	[[nodiscard]] const std::string &build_id() const { return build_id_; }

	[[nodiscard]] std::optional<std::uint64_t> address_of_offset(std::uint64_t file_offset) const;
	[[nodiscard]] std::optional<std::uint64_t> offset_of_address(std::uint64_t address) const;
	// As address_of_offset, in segments that are not code, too, and without regard to pages.
	[[nodiscard]] std::optional<std::uint64_t> address_of_any_offset(std::uint64_t file_offset) const;
	[[nodiscard]] bool is_code(std::uint64_t address) const;
	// PT_GNU_EH_FRAME, else the section of that name.
	[[nodiscard]] std::optional<std::uint64_t> eh_frame_hdr_address() const { return eh_frame_hdr_; }

private:
	void read_segments(std::uint64_t table_offset, std::size_t count);
	void read_sections(std::uint64_t table_offset, std::size_t count, std::size_t names_index);
	void read_notes(std::uint64_t offset, std::uint64_t bytes);

	std::shared_ptr<const ByteSource> bytes_;
	std::vector<ElfSegment> segments_;
	std::vector<ElfSection> sections_;
	std::uint64_t entry_ = 0;
	std::optional<std::uint64_t> eh_frame_hdr_;
	std::string build_id_;
};

} // namespace loopsnoop::stacks

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "elf/byte_source.h"
#include "process/mapping.h"

namespace loopsnoop::elf {

struct Segment {
	std::uint64_t offset = 0;
	std::uint64_t address = 0;
	std::uint64_t file_bytes = 0;
	std::uint64_t memory_bytes = 0;
	bool executable = false;
};

struct Section {
	std::string name;
	std::uint32_t type = 0;
	std::uint64_t flags = 0;
	std::uint64_t address = 0;
	std::uint64_t offset = 0;
	std::uint64_t bytes = 0; // as it lies in the file: compressed sections are not opened
	std::uint32_t link = 0;
};

// The headers of one 64-bit little-endian x86-64 ELF file (elf.h), each value checked against the size of the file.
// Headers that are broken count as missing. "Address" is the ELF virtual address throughout this room and stacks/.
class Image {
public:
	// nullopt: not such a file, or none.
	[[nodiscard]] static std::optional<Image> open(std::shared_ptr<const foreign::File> file);
	[[nodiscard]] static std::optional<Image> read(std::shared_ptr<const ByteSource> bytes);

	[[nodiscard]] const ByteSource &bytes() const { return *bytes_; }
	[[nodiscard]] const std::vector<Section> &sections() const { return sections_; }
	// nullptr: there is none, or it lies outside the file.
	[[nodiscard]] const Section *section(std::string_view name) const;
	// The bytes of a section as they lie in the file, `max_bytes` of them at most.
	[[nodiscard]] std::vector<std::uint8_t> contents(const Section &section, std::size_t max_bytes) const;
	[[nodiscard]] std::uint64_t entry() const { return entry_; }
	// Lower-case hexadecimal, empty when there is none.
	[[nodiscard]] const std::string &build_id() const { return build_id_; }

	[[nodiscard]] std::optional<std::uint64_t> address_of_offset(std::uint64_t file_offset) const;
	[[nodiscard]] std::optional<std::uint64_t> offset_of_address(std::uint64_t address) const;
	// As address_of_offset, in segments that are not code, too, and without regard to pages.
	[[nodiscard]] std::optional<std::uint64_t> address_of_any_offset(std::uint64_t file_offset) const;
	[[nodiscard]] bool is_code(std::uint64_t address) const;
	// What to add to an address as linked, given any mapping of this file (0 for executables linked to a fixed address).
	[[nodiscard]] std::optional<std::uint64_t> load_bias(const process::Mapping &mapping) const;
	// PT_GNU_EH_FRAME, else the section of that name.
	[[nodiscard]] std::optional<std::uint64_t> eh_frame_hdr_address() const { return eh_frame_hdr_; }

private:
	void read_segments(std::uint64_t table_offset, std::size_t count);
	void read_sections(std::uint64_t table_offset, std::size_t count, std::size_t names_index);
	void read_notes(std::uint64_t offset, std::uint64_t bytes);

	std::shared_ptr<const ByteSource> bytes_;
	std::vector<Segment> segments_;
	std::vector<Section> sections_;
	std::uint64_t entry_ = 0;
	std::optional<std::uint64_t> eh_frame_hdr_;
	std::string build_id_;
};

} // namespace loopsnoop::elf

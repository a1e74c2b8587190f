// SPDX-License-Identifier: Apache-2.0
#include "elf/image.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

#include "arch/cpu.h"

namespace loopsnoop::elf {
namespace {

constexpr std::size_t max_segments = 512;
constexpr std::size_t max_sections = 4096;
constexpr std::uint64_t max_names_bytes = 256 * 1024;
constexpr std::size_t max_name = 64; // of a section; those that anybody asks for are shorter
constexpr std::uint64_t max_note_bytes = 64 * 1024;
constexpr std::uint64_t page = 4096;

bool inside(const ByteSource &bytes, std::uint64_t offset, std::uint64_t count) {
	return offset <= bytes.size() && count <= bytes.size() - offset;
}

} // namespace

std::optional<Image> Image::open(std::shared_ptr<const foreign::File> file) {
	return file ? read(std::make_shared<FileBytes>(std::move(file))) : std::nullopt;
}

std::optional<Image> Image::read(std::shared_ptr<const ByteSource> bytes) {
	const auto header = bytes->read<Elf64_Ehdr>(0);
	if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
	    header->e_ident[EI_DATA] != ELFDATA2LSB || header->e_machine != arch::elf_machine ||
	    (header->e_type != ET_EXEC && header->e_type != ET_DYN)) {
		return std::nullopt;
	}
	Image image;
	image.bytes_ = std::move(bytes);
	image.entry_ = header->e_entry;
	if (header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phnum <= max_segments) {
		image.read_segments(header->e_phoff, header->e_phnum);
	}
	if (header->e_shentsize == sizeof(Elf64_Shdr) && header->e_shnum <= max_sections) {
		image.read_sections(header->e_shoff, header->e_shnum, header->e_shstrndx);
	}
	return image;
}

void Image::read_segments(std::uint64_t table_offset, std::size_t count) {
	for (std::size_t i = 0; i < count; ++i) {
		const auto segment = bytes_->read<Elf64_Phdr>(table_offset + i * sizeof(Elf64_Phdr));
		if (!segment) {
			return;
		}
		if (segment->p_type == PT_LOAD && inside(*bytes_, segment->p_offset, 0) &&
		    segment->p_vaddr + segment->p_memsz >= segment->p_vaddr) {
			segments_.push_back({segment->p_offset, segment->p_vaddr,
			                     std::min(segment->p_filesz, bytes_->size() - segment->p_offset), segment->p_memsz,
			                     (segment->p_flags & PF_X) != 0});
		} else if (segment->p_type == PT_GNU_EH_FRAME) {
			eh_frame_hdr_ = segment->p_vaddr;
		} else if (segment->p_type == PT_NOTE) {
			read_notes(segment->p_offset, segment->p_filesz);
		}
	}
}

void Image::read_sections(std::uint64_t table_offset, std::size_t count, std::size_t names_index) {
	if (!inside(*bytes_, table_offset, count * sizeof(Elf64_Shdr))) {
		return;
	}
	std::vector<std::uint8_t> names;
	if (const auto table = bytes_->read<Elf64_Shdr>(table_offset + names_index * sizeof(Elf64_Shdr));
	    table && names_index < count) {
		names = bytes_->read_bytes(table->sh_offset, std::min(table->sh_size, max_names_bytes)).value_or(names);
	}
	names.push_back(0);
	for (std::size_t i = 0; i < count; ++i) {
		const auto header = bytes_->read<Elf64_Shdr>(table_offset + i * sizeof(Elf64_Shdr));
		if (!header) {
			return;
		}
		Section section;
		section.type = header->sh_type;
		section.flags = header->sh_flags;
		section.address = header->sh_addr;
		section.link = header->sh_link;
		if (header->sh_name < names.size()) {
			const auto *const name = reinterpret_cast<const char *>(names.data() + header->sh_name);
			section.name.assign(name, strnlen(name, std::min(max_name, names.size() - header->sh_name)));
		}
		// In a separate debug file .text and the like are SHT_NOBITS: they have an address and a size but no bytes.
		if (header->sh_type == SHT_NOBITS || inside(*bytes_, header->sh_offset, header->sh_size)) {
			section.offset = header->sh_offset;
			section.bytes = header->sh_size;
		}
		if (section.type == SHT_NOTE && build_id_.empty()) {
			read_notes(section.offset, section.bytes);
		}
		if (!eh_frame_hdr_ && section.name == ".eh_frame_hdr" && section.type != SHT_NOBITS) {
			eh_frame_hdr_ = section.address;
		}
		sections_.push_back(std::move(section)); // kept even when broken: others refer to it by index
	}
}

void Image::read_notes(std::uint64_t offset, std::uint64_t bytes) {
	const auto notes = bytes_->read_bytes(offset, std::min(bytes, max_note_bytes));
	if (!notes || !build_id_.empty()) {
		return;
	}
	for (std::uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= notes->size();) {
		Elf64_Nhdr note{};
		std::memcpy(&note, notes->data() + at, sizeof(note));
		at += sizeof(note);
		const std::uint64_t name_bytes = (note.n_namesz + 3ULL) & ~3ULL;
		const std::uint64_t content_bytes = (note.n_descsz + 3ULL) & ~3ULL;
		if (name_bytes > notes->size() - at || note.n_descsz > notes->size() - at - name_bytes) {
			return;
		}
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(notes->data() + at, "GNU", 4) == 0 &&
		    note.n_descsz >= 2 && note.n_descsz <= 64) {
			for (std::uint64_t i = 0; i < note.n_descsz; ++i) {
				constexpr std::string_view digits = "0123456789abcdef";
				const std::uint8_t byte = (*notes)[at + name_bytes + i];
				build_id_ += digits[byte >> 4U];
				build_id_ += digits[byte & 15U];
			}
			return;
		}
		at += name_bytes + content_bytes;
	}
}

const Section *Image::section(std::string_view name) const {
	const auto found =
	    std::find_if(sections_.begin(), sections_.end(), [&](const Section &section) { return section.name == name; });
	return found == sections_.end() || found->bytes == 0 ? nullptr : &*found;
}

std::vector<std::uint8_t> Image::contents(const Section &section, std::size_t max_bytes) const {
	return section.type == SHT_NOBITS ? std::vector<std::uint8_t>()
	                                  : bytes_->read_bytes(section.offset, std::min<std::uint64_t>(section.bytes, max_bytes))
	                                        .value_or(std::vector<std::uint8_t>());
}

std::optional<std::uint64_t> Image::load_bias(const process::Mapping &mapping) const {
	std::optional<std::uint64_t> bias;
	for (const Segment &segment : segments_) {
		const std::uint64_t first = segment.offset & ~(page - 1);
		const bool has_it = mapping.offset >= first && mapping.offset < segment.offset + segment.file_bytes;
		if (!has_it || segment.executable != mapping.executable) {
			continue;
		}
		bias = mapping.start - mapping.offset + segment.offset - segment.address;
		// A page of the file may belong to two segments, the end of one and the beginning of the next. A mapping that starts
		// there is the latter's.
		if (mapping.offset == first && segment.offset != 0) {
			return bias;
		}
	}
	return bias;
}

std::optional<std::uint64_t> Image::address_of_offset(std::uint64_t file_offset) const {
	// Segments are mapped in whole pages: the last page of one and the first of the next may be the same page of the file.
	std::optional<std::uint64_t> rounded;
	for (const Segment &segment : segments_) {
		if (!segment.executable) {
			continue;
		}
		if (file_offset >= segment.offset && file_offset - segment.offset < segment.file_bytes) {
			return segment.address + (file_offset - segment.offset);
		}
		const std::uint64_t end = (segment.offset + segment.file_bytes + page - 1) & ~(page - 1);
		if (file_offset >= (segment.offset & ~(page - 1)) && file_offset < end) {
			rounded = segment.address + (file_offset - segment.offset);
		}
	}
	return rounded;
}

std::optional<std::uint64_t> Image::offset_of_address(std::uint64_t address) const {
	for (const Segment &segment : segments_) {
		if (address >= segment.address && address - segment.address < segment.file_bytes) {
			return segment.offset + (address - segment.address);
		}
	}
	return std::nullopt;
}

std::optional<std::uint64_t> Image::address_of_any_offset(std::uint64_t file_offset) const {
	for (const Segment &segment : segments_) {
		if (file_offset >= segment.offset && file_offset - segment.offset < segment.file_bytes) {
			return segment.address + (file_offset - segment.offset);
		}
	}
	return std::nullopt;
}

bool Image::is_code(std::uint64_t address) const {
	return std::any_of(segments_.begin(), segments_.end(), [&](const Segment &segment) {
		return segment.executable && address >= segment.address && address - segment.address < segment.memory_bytes;
	});
}

} // namespace loopsnoop::elf

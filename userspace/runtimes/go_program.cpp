// SPDX-License-Identifier: Apache-2.0
#include "runtimes/go_program.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "foreign/bytes.h"

namespace loopsnoop::runtimes {

namespace {

template <typename T> std::optional<T> read_at(const foreign::File &file, std::uint64_t offset) {
	T value{};
	if (file.read_some(offset, std::as_writable_bytes(std::span(&value, 1))) != sizeof(value)) {
		return std::nullopt;
	}
	return value;
}

bool has_go_note(std::span<const std::byte> notes) {
	constexpr std::uint32_t go_build_id = 4;
	constexpr std::array<char, 4> go_name{'G', 'o', 0, 0};
	constexpr std::size_t word = 4;
	while (notes.size() >= sizeof(Elf64_Nhdr) + go_name.size()) {
		Elf64_Nhdr header{};
		std::memcpy(&header, notes.data(), sizeof(header));
		if (header.n_type == go_build_id && header.n_namesz == go_name.size() &&
		    std::memcmp(notes.data() + sizeof(header), go_name.data(), go_name.size()) == 0) {
			return true;
		}
		const std::size_t size = sizeof(header) + (std::size_t{header.n_namesz} + word - 1) / word * word +
		                         (std::size_t{header.n_descsz} + word - 1) / word * word;
		if (size > notes.size()) {
			return false;
		}
		notes = notes.subspan(size);
	}
	return false;
}

} // namespace

bool is_go_program(const process::ProcFs &proc, std::uint32_t pid) {
	const auto file = foreign::File::open(proc.program_file(pid));
	const auto header = file ? read_at<Elf64_Ehdr>(**file, 0) : std::nullopt;
	if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64) {
		return false;
	}
	constexpr std::uint16_t max_segments = 64;
	constexpr std::uint64_t max_note_bytes = 4096;
	for (std::uint16_t i = 0; i < std::min<std::uint16_t>(header->e_phnum, max_segments); i++) {
		const auto segment = read_at<Elf64_Phdr>(**file, header->e_phoff + std::uint64_t{i} * header->e_phentsize);
		if (!segment || segment->p_type != PT_NOTE) {
			continue;
		}
		std::vector<std::byte> notes(std::min<std::uint64_t>(segment->p_filesz, max_note_bytes));
		if (has_go_note(std::span(notes).first((*file)->read_some(segment->p_offset, notes)))) {
			return true;
		}
	}
	return false;
}

} // namespace loopsnoop::runtimes

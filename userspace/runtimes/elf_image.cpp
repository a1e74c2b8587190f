// SPDX-License-Identifier: Apache-2.0
#include "runtimes/elf_image.h"

#include <gelf.h>
#include <libelf.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "arch/cpu.h"

namespace loopsnoop::runtimes {

namespace {

constexpr std::size_t max_symbols = 4'000'000; // a node binary has some 200,000

std::string_view text_at(Elf *elf, std::size_t strings, std::size_t offset) {
	const char *text = elf_strptr(elf, strings, offset);
	return text == nullptr ? std::string_view{} : std::string_view{text};
}

std::string_view bytes_of(Elf_Data *data) {
	return data == nullptr || data->d_buf == nullptr ? std::string_view{}
	                                                 : std::string_view(static_cast<const char *>(data->d_buf), data->d_size);
}

bool reads(std::string_view strings, std::size_t offset, std::string_view name) {
	return offset < strings.size() && name.size() < strings.size() - offset && strings[offset + name.size()] == '\0' &&
	       strings.compare(offset, name.size(), name) == 0;
}

// Fills the places of `found` that are still 0 from one symbol table. Not by gelf_getsym and elf_strptr: of a hundred thousand
// mangled names the length alone took most of the time.
void search_table(Elf *elf, Elf_Scn *table, const GElf_Shdr &header, std::span<const std::string_view> names,
                  std::vector<std::uint64_t> &found) {
	const std::string_view symbols = bytes_of(elf_getdata(table, nullptr)); // of struct Elf64_Sym, in this machine's byte order
	Elf_Scn *linked = elf_getscn(elf, header.sh_link);
	const std::string_view strings = linked == nullptr ? std::string_view{} : bytes_of(elf_getdata(linked, nullptr));
	if (header.sh_entsize == 0) {
		return;
	}
	const std::size_t count = std::min<std::size_t>(symbols.size() / sizeof(Elf64_Sym), max_symbols);
	for (std::size_t i = 0; i < count; ++i) {
		Elf64_Sym symbol;
		std::memcpy(&symbol, symbols.data() + i * sizeof(symbol), sizeof(symbol));
		if (symbol.st_value == 0 || symbol.st_shndx == SHN_UNDEF) {
			continue;
		}
		for (std::size_t wanted = 0; wanted < names.size(); ++wanted) {
			if (found[wanted] == 0 && reads(strings, symbol.st_name, names[wanted])) {
				found[wanted] = symbol.st_value;
			}
		}
	}
}

} // namespace

void ElfImage::CloseElf::operator()(Elf *elf) const { elf_end(elf); }

std::optional<ElfImage> ElfImage::open(std::shared_ptr<const foreign::File> file) {
	if (!file || elf_version(EV_CURRENT) == EV_NONE) {
		return std::nullopt;
	}
	Elf *elf = elf_begin(file->descriptor(), ELF_C_READ, nullptr);
	if (elf == nullptr) {
		return std::nullopt;
	}
	ElfImage image(std::move(file), elf);
	GElf_Ehdr header;
	if (elf_kind(elf) != ELF_K_ELF || gelf_getehdr(elf, &header) == nullptr || header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    header.e_machine != arch::elf_machine) {
		return std::nullopt;
	}
	return image;
}

std::vector<std::uint64_t> ElfImage::symbols(std::span<const std::string_view> names, Tables tables) const {
	std::vector<std::uint64_t> found(names.size(), 0);
	for (const GElf_Word type : {SHT_DYNSYM, SHT_SYMTAB}) {
		if ((type == SHT_SYMTAB && tables == Tables::dynamic) || std::ranges::find(found, 0U) == found.end()) {
			break;
		}
		for (Elf_Scn *scn = elf_nextscn(elf_.get(), nullptr); scn != nullptr; scn = elf_nextscn(elf_.get(), scn)) {
			GElf_Shdr header;
			if (gelf_getshdr(scn, &header) != nullptr && header.sh_type == type) {
				search_table(elf_.get(), scn, header, names, found);
			}
		}
	}
	return found;
}

std::optional<ElfSection> ElfImage::section(std::string_view name) const {
	std::size_t strings = 0;
	if (elf_getshdrstrndx(elf_.get(), &strings) != 0) {
		return std::nullopt;
	}
	for (Elf_Scn *scn = elf_nextscn(elf_.get(), nullptr); scn != nullptr; scn = elf_nextscn(elf_.get(), scn)) {
		GElf_Shdr header;
		if (gelf_getshdr(scn, &header) == nullptr || text_at(elf_.get(), strings, header.sh_name) != name) {
			continue;
		}
		return ElfSection{std::string(name), header.sh_addr, header.sh_size, header.sh_offset, header.sh_type != SHT_NOBITS};
	}
	return std::nullopt;
}

std::vector<std::uint8_t> ElfImage::contents(const ElfSection &section, std::size_t max_bytes) const {
	std::vector<std::uint8_t> bytes;
	if (!section.in_file) {
		return bytes;
	}
	// In pieces: a header may claim more than the file holds.
	constexpr std::size_t piece = 1U << 20U;
	const std::size_t wanted = std::min<std::uint64_t>(section.size, max_bytes);
	while (bytes.size() < wanted) {
		const std::size_t before = bytes.size();
		bytes.resize(std::min(wanted, before + piece));
		const std::size_t got =
		    file_->read_some(section.file_offset + before, std::as_writable_bytes(std::span(bytes).subspan(before)));
		bytes.resize(before + got);
		if (got == 0) {
			break;
		}
	}
	return bytes;
}

std::optional<std::uint64_t> ElfImage::load_bias(const process::Mapping &mapping) const {
	std::size_t count = 0;
	if (elf_getphdrnum(elf_.get(), &count) != 0) {
		return std::nullopt;
	}
	const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
	std::optional<std::uint64_t> bias;
	for (std::size_t i = 0; i < count; ++i) {
		GElf_Phdr segment;
		if (gelf_getphdr(elf_.get(), static_cast<int>(i), &segment) == nullptr) {
			return std::nullopt;
		}
		const std::uint64_t first = segment.p_offset - segment.p_offset % page;
		const bool has_it = mapping.offset >= first && mapping.offset < segment.p_offset + segment.p_filesz;
		if (segment.p_type != PT_LOAD || !has_it || ((segment.p_flags & PF_X) != 0) != mapping.executable) {
			continue;
		}
		bias = mapping.start - mapping.offset + segment.p_offset - segment.p_vaddr;
		// A page of the file may belong to two segments, the end of one and the beginning of the next. A mapping that starts
		// there is the latter's.
		if (mapping.offset == first && segment.p_offset != 0) {
			return bias;
		}
	}
	return bias;
}

} // namespace loopsnoop::runtimes

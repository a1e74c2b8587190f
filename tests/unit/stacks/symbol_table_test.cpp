// SPDX-License-Identifier: Apache-2.0
#include "stacks/symbol_table.h"

#include <elf.h>

#include <cstring>

#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::stacks;

namespace {

struct Symbol {
	const char *name;
	std::uint64_t value;
	std::uint64_t size;
	unsigned char type = STT_FUNC;
	unsigned char binding = STB_GLOBAL;
};

// An ELF file with .text at [0x1000, 0x2000), .init at [0x800, 0x820) and these symbols.
std::shared_ptr<const elf::Image> file_with(const std::vector<Symbol> &symbols) {
	std::vector<std::uint8_t> bytes(sizeof(Elf64_Ehdr));
	const auto append = [&](const void *data, std::size_t size) {
		const std::size_t at = bytes.size();
		bytes.resize(at + size);
		std::memcpy(bytes.data() + at, data, size);
		return at;
	};
	std::string names(1, '\0');
	std::vector<Elf64_Sym> table(1);
	for (const Symbol &symbol : symbols) {
		Elf64_Sym entry{};
		entry.st_name = static_cast<Elf64_Word>(names.size());
		entry.st_value = symbol.value;
		entry.st_size = symbol.size;
		entry.st_info = static_cast<unsigned char>(ELF64_ST_INFO(symbol.binding, symbol.type));
		entry.st_shndx = symbol.value < 0x1000 ? 2 : 1;
		table.push_back(entry);
		names += symbol.name;
		names += '\0';
	}
	const std::size_t table_at = append(table.data(), table.size() * sizeof(Elf64_Sym));
	const std::size_t names_at = append(names.data(), names.size());
	std::array<Elf64_Shdr, 5> sections{};
	sections[1].sh_type = SHT_NOBITS;
	sections[1].sh_flags = SHF_ALLOC | SHF_EXECINSTR;
	sections[1].sh_addr = 0x1000;
	sections[1].sh_size = 0x1000;
	sections[2] = sections[1];
	sections[2].sh_addr = 0x800;
	sections[2].sh_size = 0x20;
	sections[3].sh_type = SHT_SYMTAB;
	sections[3].sh_offset = table_at;
	sections[3].sh_size = table.size() * sizeof(Elf64_Sym);
	sections[3].sh_link = 4;
	sections[4].sh_type = SHT_STRTAB;
	sections[4].sh_offset = names_at;
	sections[4].sh_size = names.size();
	Elf64_Ehdr header{};
	std::memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	header.e_machine = EM_X86_64;
	header.e_type = ET_DYN;
	header.e_shentsize = sizeof(Elf64_Shdr);
	header.e_shnum = sections.size();
	header.e_shoff = append(sections.data(), sizeof(sections));
	std::memcpy(bytes.data(), &header, sizeof(header));
	auto image = elf::Image::read(std::make_shared<elf::MemoryBytes>(std::move(bytes)));
	REQUIRE(image);
	return std::make_shared<const elf::Image>(std::move(*image));
}

SymbolTable table_of(const std::vector<Symbol> &symbols) {
	const auto image = file_with(symbols);
	return SymbolTable::read(image, image->sections()[3]);
}

std::string name_at(const SymbolTable &table, std::uint64_t address) {
	const auto found = table.find(address);
	return found ? found->name : "-";
}

} // namespace

TEST_CASE("an address has the name of the function that holds it, or none") {
	const auto table = table_of({{"first", 0x1000, 0x10}, {"second", 0x1020, 0x10}, {"data", 0x1100, 0x100, STT_OBJECT}});
	CHECK(name_at(table, 0x1000) == "first");
	CHECK(name_at(table, 0x100f) == "first");
	CHECK(name_at(table, 0x1010) == "-");
	CHECK(name_at(table, 0x1025) == "second");
	CHECK(name_at(table, 0x1110) == "-");
	CHECK(name_at(table, 0xfff) == "-");
	CHECK(name_at(table, 0) == "-");
	CHECK(name_at(table, ~0ULL) == "-");
}

TEST_CASE("of several names the one that people know is shown") {
	const auto table = table_of({{"__nanosleep", 0x1000, 0x10},
	                             {"nanosleep@@GLIBC_2.2.5", 0x1000, 0x10, STT_FUNC, STB_WEAK},
	                             {"__GI___nanosleep", 0x1000, 0x10, STT_FUNC, STB_LOCAL},
	                             {"sleep_alias", 0x1100, 0x10, STT_FUNC, STB_LOCAL},
	                             {"_sleep", 0x1100, 0x10, STT_GNU_IFUNC}});
	CHECK(name_at(table, 0x1004) == "nanosleep");
	CHECK(name_at(table, 0x1104) == "_sleep");
}

TEST_CASE("a symbol without a size ends at the next one and at its section's end") {
	const auto table = table_of({{"_init", 0x800, 0, STT_FUNC},
	                             {"asm_entry", 0x1000, 0, STT_NOTYPE},
	                             {"sized", 0x1040, 0x10},
	                             {"tail", 0x1f00, 0, STT_NOTYPE},
	                             {"$x", 0x1f10, 0, STT_NOTYPE},
	                             {".L12", 0x1f20, 0, STT_NOTYPE}});
	CHECK(name_at(table, 0x81f) == "_init");
	CHECK(name_at(table, 0x820) == "-");
	CHECK(name_at(table, 0x103f) == "asm_entry");
	CHECK_FALSE(table.find(0x103f)->sized);
	CHECK(name_at(table, 0x1050) == "-");
	CHECK(name_at(table, 0x1f0f) == "tail");
	CHECK(name_at(table, 0x1fff) == "-"); // behind labels that are no names
	CHECK(name_at(table, 0x2000) == "-");
}

TEST_CASE("a function inside another one is the one meant") {
	const auto table = table_of({{"outer", 0x1000, 0x100}, {"inner", 0x1040, 0x10}});
	CHECK(name_at(table, 0x1048) == "inner");
	CHECK(name_at(table, 0x1050) == "outer");
}

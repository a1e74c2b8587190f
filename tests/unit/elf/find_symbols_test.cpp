// SPDX-License-Identifier: Apache-2.0
#include "elf/find_symbols.h"

#include <elf.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>

#include "arch/cpu.h"
#include "base/clock.h"
#include "catch.h"
#include "elf/work_limit.h"

using namespace loopsnoop;
using elf::Image;
using elf::Tables;

namespace {

struct Table {
	std::uint32_t type = SHT_DYNSYM;
	std::vector<Elf64_Sym> symbols;
	std::string names;
	std::uint64_t claimed_symbols = 0; // more than are written: the file is sparse there
	std::uint64_t claimed_names = 0;
};

Elf64_Sym symbol(std::uint32_t name, std::uint64_t value) {
	Elf64_Sym one{};
	one.st_name = name;
	one.st_value = value;
	one.st_shndx = 1;
	return one;
}

// A file of headers and one table.
std::optional<Image> image_with(const Table &table) {
	const std::uint64_t symbols_bytes = std::max<std::uint64_t>(table.claimed_symbols, table.symbols.size()) * sizeof(Elf64_Sym);
	const std::uint64_t names_bytes = std::max<std::uint64_t>(table.claimed_names, table.names.size());
	std::array<Elf64_Shdr, 3> sections{};
	const std::uint64_t first = sizeof(Elf64_Ehdr) + sizeof(sections);
	sections[1].sh_type = table.type;
	sections[1].sh_link = 2;
	sections[1].sh_offset = first;
	sections[1].sh_size = symbols_bytes;
	sections[2].sh_type = SHT_STRTAB;
	sections[2].sh_offset = first + symbols_bytes;
	sections[2].sh_size = names_bytes;
	Elf64_Ehdr header{};
	std::memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	header.e_machine = arch::elf_machine;
	header.e_type = ET_DYN;
	header.e_shoff = sizeof(header);
	header.e_shentsize = sizeof(Elf64_Shdr);
	header.e_shnum = sections.size();
	UniqueFd file(::memfd_create("elf", MFD_CLOEXEC));
	const auto put = [&](const void *bytes, std::size_t size, std::uint64_t at) {
		REQUIRE(::pwrite(file.get(), bytes, size, static_cast<off_t>(at)) == static_cast<ssize_t>(size));
	};
	REQUIRE(::ftruncate(file.get(), static_cast<off_t>(first + symbols_bytes + names_bytes)) == 0);
	put(&header, sizeof(header), 0);
	put(sections.data(), sizeof(sections), sizeof(header));
	put(table.symbols.data(), table.symbols.size() * sizeof(Elf64_Sym), first);
	put(table.names.data(), table.names.size(), first + symbols_bytes);
	return Image::open(foreign::File::of(std::move(file)));
}

std::vector<std::uint64_t> find(const Table &table, Tables tables = Tables::all) {
	constexpr std::array<std::string_view, 3> wanted{"_PyRuntime", "Py_Version", "x"};
	const auto image = image_with(table);
	REQUIRE(image);
	return elf::find_symbols(*image, wanted, tables);
}

long resident_kib() {
	rusage usage{};
	::getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

} // namespace

TEST_CASE("symbols are found by whole names, and by names that are the tails of others") {
	const std::string names{"\0a_PyRuntime\0Py_Version\0xx\0Py_Version", 37};
	CHECK(find({SHT_DYNSYM, {symbol(2, 0x10), symbol(13, 0x20), symbol(25, 0x30)}, names}) ==
	      std::vector<std::uint64_t>{0x10, 0x20, 0x30});
	// The whole name is another one; the last string has no end.
	CHECK(find({SHT_DYNSYM, {symbol(1, 0x10), symbol(27, 0x20)}, names}) == std::vector<std::uint64_t>{0, 0, 0});
	CHECK(find({SHT_SYMTAB, {symbol(2, 0x10)}, names}, Tables::dynamic) == std::vector<std::uint64_t>{0, 0, 0});
	CHECK(find({SHT_SYMTAB, {symbol(2, 0x10)}, names}).front() == 0x10);
}

TEST_CASE("a name that lies across two pieces of the table") {
	for (const std::size_t before : {65525U, 65530U, 65535U, 65536U, 131065U}) {
		std::string names(before, 'y');
		names.front() = '\0';
		names.back() = '\0';
		names += "_PyRuntime";
		names += '\0';
		CHECK(find({SHT_DYNSYM, {symbol(static_cast<std::uint32_t>(before), 0x10)}, names}).front() == 0x10);
	}
}

TEST_CASE("a table of 8 GiB takes little memory and little time") {
	Table table{SHT_DYNSYM, {symbol(1, 0x10)}, std::string("\0_PyRuntime", 12)};
	table.claimed_symbols = (8ULL << 30U) / sizeof(Elf64_Sym);
	table.claimed_names = 4ULL << 30U;
	[[maybe_unused]] const long before = resident_kib();
	const elf::WorkLimit limit(1);
	const std::uint64_t began = monotonic_ns();
	CHECK(find(table).front() == 0x10);
	CHECK(monotonic_ns() - began < 10'000'000'000);
	CHECK_MEMORY(resident_kib() - before < 8 * 1024L);
}

TEST_CASE("a table made of nothing but the names that are searched for") {
	std::string names(1, '\0');
	while (names.size() < 1'000'000) {
		names.append("x", 2);
	}
	CHECK(find({SHT_DYNSYM, {symbol(1, 0x10)}, names}).back() == 0x10);
}

// SPDX-License-Identifier: Apache-2.0
// Line numbers of real files, held against what elfutils makes of the same bytes.
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <libelf.h>

#include <filesystem>
#include <string>

#include "catch.h"
#include "stacks/open_image.h"
#include "stacks/source_lines.h"

using namespace loopsnoop;
using namespace loopsnoop::stacks;

namespace {

// The number of addresses that both have a line for. libdw finds units by .debug_aranges: without those nothing is compared.
std::size_t compare_file(const std::string &path, std::uint64_t step) {
	const auto image = open_image(open_ours(path));
	REQUIRE(image != nullptr);
	const auto lines = SourceLines::open(image);
	REQUIRE(lines != nullptr);
	elf_version(EV_CURRENT);
	const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
	Elf *const elf = elf_begin(fd.get(), ELF_C_READ, nullptr);
	Dwarf *const dwarf = dwarf_begin_elf(elf, DWARF_C_READ, nullptr);
	REQUIRE(dwarf != nullptr);
	std::size_t both = 0;
	for (const elf::Section &section : image->sections()) {
		if (section.name != ".text") {
			continue;
		}
		for (std::uint64_t address = section.address; address < section.address + section.bytes; address += step) {
			Dwarf_Die unit{};
			Dwarf_Line *const line = dwarf_addrdie(dwarf, address, &unit) == nullptr ? nullptr : dwarf_getsrc_die(&unit, address);
			if (line == nullptr) {
				continue;
			}
			const auto ours = lines->find(address);
			INFO(path << " at " << std::hex << address);
			REQUIRE(ours.has_value());
			++both;
			int number = 0;
			REQUIRE(dwarf_lineno(line, &number) == 0);
			CHECK(ours->line.value_or(0) == number);
			// Before DWARF 5 ours lacks the compiler's directory.
			Dwarf_Attribute compiled_in{};
			const char *const directory = dwarf_formstring(dwarf_attr(&unit, DW_AT_comp_dir, &compiled_in));
			REQUIRE(directory != nullptr);
			const std::string file =
			    (std::filesystem::path(directory) / dwarf_linesrc(line, nullptr, nullptr)).lexically_normal().string();
			CHECK(file.ends_with(std::filesystem::path(ours->file).filename().string()));
			if (ours->file.starts_with('/')) {
				CHECK(ours->file == file);
			}
		}
	}
	dwarf_end(dwarf);
	elf_end(elf);
	return both;
}

} // namespace

TEST_CASE("line numbers are the ones that elfutils finds") {
	const std::string built = STACKS_BUILT;
	for (const char *name : {"/stacks_pie", "/stacks_no_pie", "/stacks_dwarf4", "/stacks_compressed", "/stacks_relative",
	                         "/libstacks_plugin.so", "/unit_stacks"}) {
		INFO(name);
		CHECK(compare_file(built + name, std::string(name) == "/unit_stacks" ? 4999 : 1) > 30);
	}
}

// SPDX-License-Identifier: Apache-2.0
// The rules of real files, held against what elfutils makes of the same bytes.
#include <dwarf.h>
#include <elf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <libelf.h>

#include <filesystem>
#include <string>

#include "catch.h"
#include "stacks/cfi_table.h"
#include "stacks/open_image.h"

using namespace loopsnoop;
using namespace loopsnoop::stacks;
using Kind = RegisterRule::Kind;

namespace {

// libdw gives a rule as a DWARF expression: compare by what ours would be in that form.
void compare_register(const UnwindRow &row, Dwarf_Frame *frame, int reg, std::uint64_t address) {
	std::array<Dwarf_Op, 3> space{};
	Dwarf_Op *ops = nullptr;
	std::size_t count = 0;
	REQUIRE(dwarf_frame_register(frame, reg, space.data(), &ops, &count) == 0);
	const RegisterRule &rule = row.rules[static_cast<std::size_t>(reg)];
	INFO("register " << reg << " at " << std::hex << address << ", our rule " << static_cast<int>(rule.kind));
	if (count == 0) {
		// "Same value" has no array at all, "undefined" an array without entries.
		const bool same = ops == nullptr;
		CHECK((rule.kind == Kind::unspecified || rule.kind == (same ? Kind::same : Kind::undefined)));
		return;
	}
	if (rule.kind == Kind::offset) {
		REQUIRE(ops[0].atom == DW_OP_call_frame_cfa);
		CHECK(static_cast<std::int64_t>(count > 1 ? ops[1].number : 0) == rule.value);
	} else if (rule.kind == Kind::unspecified) {
		CHECK(reg == 7); // the stack pointer is the CFA
	} else {
		CHECK((rule.kind == Kind::expression || rule.kind == Kind::value_expression || rule.kind == Kind::value_offset ||
		       rule.kind == Kind::copy));
	}
}

// The number of addresses that both describe.
std::size_t compare_file(const std::string &path, std::uint64_t step) {
	auto image = open_image(open_ours(path));
	REQUIRE(image != nullptr);
	CfiTable table(image);
	elf_version(EV_CURRENT);
	const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
	Elf *const elf = elf_begin(fd.get(), ELF_C_READ, nullptr);
	Dwarf_CFI *const cfi = dwarf_getcfi_elf(elf);
	REQUIRE(cfi != nullptr);
	std::size_t both = 0;
	for (const elf::Section &section : image->sections()) {
		if (section.name != ".text" && section.name != ".plt") {
			continue;
		}
		for (std::uint64_t address = section.address; address < section.address + section.bytes; address += step) {
			Dwarf_Frame *frame = nullptr;
			const bool theirs = dwarf_cfi_addrframe(cfi, address, &frame) == 0;
			const auto ours = table.find(address);
			INFO(path << " at " << std::hex << address);
			REQUIRE(theirs == ours.has_value());
			if (!theirs) {
				continue;
			}
			++both;
			Dwarf_Addr start = 0;
			bool signal = false;
			REQUIRE(dwarf_frame_info(frame, &start, nullptr, &signal) == 16);
			CHECK(signal == ours->signal_frame);
			Dwarf_Op *ops = nullptr;
			std::size_t count = 0;
			REQUIRE(dwarf_frame_cfa(frame, &ops, &count) == 0);
			if (ours->cfa_is_expression) {
				CHECK((count != 1 || ops[0].atom != DW_OP_bregx));
			} else {
				REQUIRE(count == 1);
				const bool general = ops[0].atom == DW_OP_bregx;
				CHECK((general ? ops[0].number : ops[0].atom - DW_OP_breg0) == ours->cfa_register);
				CHECK(static_cast<std::int64_t>(general ? ops[0].number2 : ops[0].number) == ours->cfa_offset);
			}
			for (const int reg : {3, 6, 7, 12, 13, 14, 15, 16}) {
				compare_register(*ours, frame, reg, address);
			}
			free(frame); // NOLINT(cppcoreguidelines-no-malloc,cppcoreguidelines-owning-memory): libdw's rule
		}
	}
	dwarf_cfi_end(cfi);
	elf_end(elf);
	return both;
}

} // namespace

TEST_CASE("call-frame rules are the ones that elfutils finds") {
	// Steps that are prime: every place in functions comes up.
	CHECK(compare_file("/usr/lib/x86_64-linux-gnu/libc.so.6", 97) > 5'000);
	CHECK(compare_file("/usr/bin/python3", 211) > 5'000);
	CHECK(compare_file(std::string(STACKS_BUILT) + "/stacks_static", 97) > 2'000);
	CHECK(compare_file(std::string(STACKS_BUILT) + "/stacks_pie", 1) > 100);
}

TEST_CASE("without .eh_frame_hdr the section is read from end to end") {
	// A copy whose PT_GNU_EH_FRAME and section name are gone.
	const std::string path = std::string(STACKS_BUILT) + "/stacks_pie";
	auto image = open_image(open_ours(path));
	REQUIRE(image);
	auto bytes = image->bytes().read_bytes(0, image->bytes().size());
	REQUIRE(bytes);
	const std::string name = ".eh_frame_hdr";
	auto at = std::search(bytes->begin(), bytes->end(), name.begin(), name.end());
	REQUIRE(at != bytes->end());
	*(at + 2) = 'X';
	Elf64_Ehdr header{};
	std::memcpy(&header, bytes->data(), sizeof(header));
	for (unsigned i = 0; i < header.e_phnum; ++i) {
		Elf64_Phdr segment{};
		std::uint8_t *const place = bytes->data() + header.e_phoff + i * sizeof(segment);
		std::memcpy(&segment, place, sizeof(segment));
		if (segment.p_type == PT_GNU_EH_FRAME) {
			segment.p_type = PT_NULL;
			std::memcpy(place, &segment, sizeof(segment));
		}
	}
	auto changed = elf::Image::read(std::make_shared<elf::MemoryBytes>(std::move(*bytes)));
	REQUIRE(changed);
	REQUIRE_FALSE(changed->eh_frame_hdr_address());
	CfiTable scanned(std::make_shared<const elf::Image>(std::move(*changed)));
	CfiTable searched(image);
	const elf::Section *const text = image->section(".text");
	REQUIRE(text != nullptr);
	std::size_t described = 0;
	for (std::uint64_t address = text->address; address < text->address + text->bytes; ++address) {
		const auto a = searched.find(address);
		const auto b = scanned.find(address);
		REQUIRE(a.has_value() == b.has_value());
		if (a) {
			++described;
			CHECK(a->cfa_offset == b->cfa_offset);
			CHECK(a->function_start == b->function_start);
		}
	}
	CHECK(described > 100);
}

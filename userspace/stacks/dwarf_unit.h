// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "stacks/debug_section.h"
#include "stacks/dwarf_forms.h"

namespace loopsnoop::stacks {

// The sections that debugging entries lie in and point to.
struct DwarfSections {
	explicit DwarfSections(const std::shared_ptr<const elf::Image> &image);

	DebugSection info;
	DebugSection abbreviations;
	DebugSection strings;
	DebugSection line_strings;
	DebugSection string_offsets;
	DebugSection addresses;
	DebugSection ranges;      // before DWARF 5
	DebugSection range_lists; // since
	[[nodiscard]] std::uint64_t unpacked_bytes() const;
};

struct CodeRange {
	std::uint64_t low = 0;
	std::uint64_t high = 0; // the first address behind it
	[[nodiscard]] bool holds(std::uint64_t address) const { return address >= low && address < high; }
};

// One debugging entry, as far as it says where code is and what it is called.
struct DebugEntry {
	std::uint64_t at = 0;   // offset in .debug_info
	std::uint64_t next = 0; // of what follows it: its first child, if it has any
	std::uint64_t tag = 0;  // 0: the end of its siblings
	bool has_children = false;
	std::uint64_t sibling = 0; // 0: not said
	DwarfValue name, linkage_name, origin, specification;
	DwarfValue low, high, ranges;
	DwarfValue statements; // of a unit: its line program
	DwarfValue string_base, address_base, list_base;
	bool is_split = false; // of a unit: its entries are in a file of their own
	std::uint64_t call_file = 0;
	std::uint64_t call_line = 0;
};

// One unit of .debug_info: its bytes, and the lay-out of its entries. Whatever the bytes are, reading ends.
class DwarfUnit {
public:
	struct Header {
		std::uint64_t begin = 0; // offsets in .debug_info
		std::uint64_t end = 0;
		std::uint64_t first_entry = 0;
		std::uint64_t abbreviations = 0;
		std::uint16_t version = 0;
		bool wide = false;
		bool has_code = false; // a unit of code: not one of types
	};
	// nullopt: there is none, and where the next one begins cannot be known.
	[[nodiscard]] static std::optional<Header> header_at(const DwarfSections &sections, std::uint64_t offset);
	// nullptr: broken, or too large. `whole` false: as much as holds the unit's own entry.
	[[nodiscard]] static std::shared_ptr<const DwarfUnit> open(const DwarfSections &sections, const Header &header, bool whole);

	// nullopt: no entry, and nothing that follows can be found.
	[[nodiscard]] std::optional<DebugEntry> entry(std::uint64_t at) const;
	[[nodiscard]] const DebugEntry &own_entry() const { return own_; }
	[[nodiscard]] const Header &header() const { return header_; }
	[[nodiscard]] std::size_t bytes() const { return bytes_.size(); }

	// 4,096 at most; those of what the linker threw away, at address 0 or nearly, are left out.
	[[nodiscard]] std::vector<CodeRange> ranges_of(const DebugEntry &entry) const;
	[[nodiscard]] bool covers(const DebugEntry &entry, std::uint64_t address) const;
	[[nodiscard]] std::string text(const DwarfValue &value) const;
	// Offset in .debug_info; nullopt: not a reference.
	[[nodiscard]] std::optional<std::uint64_t> reference(const DwarfValue &value) const;

private:
	struct Attribute {
		std::uint64_t name = 0;
		std::uint64_t form = 0;
		std::int64_t implicit = 0;
	};
	struct Abbreviation {
		std::uint64_t tag = 0;
		bool has_children = false;
		std::vector<Attribute> attributes;
	};
	using EachRange = std::function<bool(CodeRange)>; // false: enough

	DwarfUnit(const DwarfSections &sections, const Header &header) : sections_(&sections), header_(header) {}
	[[nodiscard]] bool read_abbreviations(bool whole);
	enum class Parsed : std::uint8_t { all, cut, too_large };
	// Until the one that is wanted, or all.
	[[nodiscard]] Parsed parse_abbreviations(std::span<const std::uint8_t> table, std::optional<std::uint64_t> wanted);
	[[nodiscard]] const Abbreviation *abbreviation(std::uint64_t code) const;
	void set(DebugEntry &entry, const Attribute &attribute, const DwarfValue &value) const;
	[[nodiscard]] std::optional<std::uint64_t> address(const DwarfValue &value) const;
	[[nodiscard]] std::optional<std::uint64_t> indexed_address(std::uint64_t index) const;
	void each_range(const DebugEntry &entry, const EachRange &range) const;
	// False: the list goes on behind what was read of it.
	using ParseList = bool (DwarfUnit::*)(std::span<const std::uint8_t> list, std::vector<CodeRange> &found) const;
	[[nodiscard]] bool parse_list_before_5(std::span<const std::uint8_t> list, std::vector<CodeRange> &found) const;
	[[nodiscard]] bool parse_list(std::span<const std::uint8_t> list, std::vector<CodeRange> &found) const;
	void each_of_list(const DebugSection &section, std::uint64_t offset, ParseList parse, const EachRange &range) const;

	const DwarfSections *sections_;
	Header header_;
	std::vector<std::uint8_t> bytes_;                                     // from header_.begin
	std::vector<Abbreviation> abbreviations_;                             // code n at n - 1, as compilers number them
	std::unordered_map<std::uint64_t, Abbreviation> other_abbreviations_; // of other codes
	DebugEntry own_;
	std::uint64_t base_ = 0; // of range lists: the unit's first address
};

} // namespace loopsnoop::stacks

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stacks/dwarf_unit.h"

namespace loopsnoop::stacks {

// A function whose body the compiler put into its caller's.
struct InlinedCall {
	std::string function;        // as the linker would call it, mangled, where that is known
	std::uint64_t call_file = 0; // where it is called: a number of the unit's line program
	std::uint64_t call_line = 0; // 0: not known
};

struct InlinedStack {
	// False: the unit of that address cannot be read, or its entries are in a file of their own.
	bool known = true;
	// Where it is not known: the unit's own source file. Empty: the unit has no name, as the rest of a split one (GCC's has
	// none); then it is the first file of its line program.
	std::string source;
	// The function that has code of its own, as debug information calls it; empty: not known, or written in assembly.
	std::string outermost;
	std::uint64_t line_unit = 0;    // offset of the unit's program in .debug_line
	std::vector<InlinedCall> calls; // innermost first; empty: nothing is inlined there
};

// Which functions an instruction belongs to, from .debug_info (DWARF 2 to 5). Opening it reads the head of each unit; a lookup
// reads the function that holds the address, and the first one in a unit makes an index of its functions. libdw would do it, but
// version 0.188 reads past the end of broken sections (see SourceLines). Split units (.dwo) and dwz's supplementary files are not
// read: nothing is known there. One thread at a time.
//
// Bounds: 64 Ki units, 256 Ki ranges, 16 MiB a unit, a million entries a walk, 64 levels of inlining.
class InlinedCalls {
public:
	// nullptr: no debug information, too much of it, or broken.
	[[nodiscard]] static std::unique_ptr<InlinedCalls> open(const std::shared_ptr<const elf::Image> &image);

	// nullopt: no unit that can be read says anything about the address.
	[[nodiscard]] std::optional<InlinedStack> find(std::uint64_t address);
	// What indexes, sections that had to be unpacked, and the unit in hand take in memory.
	[[nodiscard]] std::uint64_t bytes() const;

private:
	struct UnitRange {
		CodeRange range;
		std::uint32_t unit; // of units_
	};
	struct Function {
		CodeRange range;
		std::uint64_t entry; // offset in .debug_info
	};

	explicit InlinedCalls(const std::shared_ptr<const elf::Image> &image) : sections_(image) {}
	void index_units();
	[[nodiscard]] std::optional<std::uint32_t> unit_of_address(std::uint64_t address) const;
	[[nodiscard]] std::optional<std::uint32_t> unit_of_entry(std::uint64_t at) const;
	[[nodiscard]] std::shared_ptr<const DwarfUnit> unit(std::uint32_t number);
	[[nodiscard]] const std::vector<Function> *functions(std::uint32_t number);
	[[nodiscard]] std::vector<DebugEntry> inlined_in(const DwarfUnit &unit, const DebugEntry &function,
	                                                 std::uint64_t address) const;
	[[nodiscard]] std::string scope_of(const DwarfUnit &unit, std::uint64_t wanted) const;
	[[nodiscard]] std::string name_of(std::uint32_t number, DebugEntry entry);

	DwarfSections sections_;
	std::vector<DwarfUnit::Header> units_; // by place
	std::vector<UnitRange> ranges_;        // by low
	std::map<std::uint32_t, std::vector<Function>> functions_;
	std::map<std::uint32_t, std::shared_ptr<const DwarfUnit>> open_; // a few
};

} // namespace loopsnoop::stacks

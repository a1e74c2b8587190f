// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stacks/debug_section.h"
#include "stacks/line_program.h"

namespace loopsnoop::stacks {

struct SourceLine {
	std::string file; // as the compiler was called; before DWARF 5 without the directory that it was called in
	std::optional<int> line;
};

// Line numbers of one file, from .debug_line alone (DWARF 2 to 5): that section knows all addresses itself, so the larger
// .debug_info is never touched. Opening it reads each line program once for an index, 24 bytes a run of addresses; a lookup then
// runs one program. libdw is not used: version 0.188 reads past the end of string sections that do not end in NUL
// (AddressSanitizer, a few broken copies of a .so), and holds every .debug_ section in memory.
class SourceLines {
public:
	// nullptr: no line information, too much of it, or broken.
	[[nodiscard]] static std::unique_ptr<SourceLines> open(const std::shared_ptr<const elf::Image> &image);

	[[nodiscard]] std::optional<SourceLine> find(std::uint64_t address) const;
	// The file of that number in the unit at that offset of .debug_line; empty: there is none.
	[[nodiscard]] std::string file(std::uint64_t unit, std::uint64_t number) const;
	// What the index, and sections that had to be unpacked, take in memory.
	[[nodiscard]] std::uint64_t bytes() const;

private:
	struct Sequence {
		std::uint64_t low;
		std::uint64_t high;
		std::uint64_t unit; // offset in .debug_line
	};
	SourceLines() = default;
	void index();
	[[nodiscard]] std::optional<std::vector<std::uint8_t>> unit_at(std::uint64_t offset) const;
	[[nodiscard]] std::string path_in(const LineProgram &program, std::uint64_t number) const;

	DebugSection line_;
	DebugSection line_strings_;
	DebugSection strings_;
	std::vector<Sequence> sequences_; // by low
};

} // namespace loopsnoop::stacks

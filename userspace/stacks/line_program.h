// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stacks/byte_cursor.h"

namespace loopsnoop::stacks {

// One row of the table that a line program makes.
struct LineRow {
	std::uint64_t address = 0;
	std::uint64_t file = 1;
	std::uint64_t line = 1;
	bool end_sequence = false;
};

// The strings that entries of .debug_line point to: in .debug_line_str (true) or .debug_str.
using StringAt = std::function<std::string(bool line_strings, std::uint64_t offset)>;

// One unit of .debug_line (DWARF 5, section 6.2; versions 2 to 4 as there in section 1.4). Garbage gives no rows or wrong rows,
// in time bounded by the number of bytes.
class LineProgram {
public:
	// `unit` holds the unit's bytes from its length field on. nullopt: another version, or broken.
	[[nodiscard]] static std::optional<LineProgram> read(std::span<const std::uint8_t> unit);

	// Calls `row` for each row until it returns false.
	void run(const std::function<bool(const LineRow &)> &row) const;
	// The path of a file by its number in rows, without "." and ".." (symbolic links are not followed); empty: there is none.
	[[nodiscard]] std::string file_path(std::uint64_t number, const StringAt &string_at) const;

private:
	[[nodiscard]] std::string path_before_5(std::uint64_t number) const;
	[[nodiscard]] std::string path_since_5(std::uint64_t number, const StringAt &string_at) const;

	std::span<const std::uint8_t> tables_; // directories and files
	std::span<const std::uint8_t> program_;
	std::span<const std::uint8_t> operand_counts_; // of the standard opcodes, from 1
	bool wide_ = false;                            // 64-bit DWARF
	std::uint16_t version_ = 0;
	std::uint8_t minimum_instruction_ = 1;
	std::int8_t line_base_ = 0;
	std::uint8_t line_range_ = 1;
	std::uint8_t opcode_base_ = 1;
};

} // namespace loopsnoop::stacks

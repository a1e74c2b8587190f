// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace loopsnoop::runtimes::cpython {

// How a code object says which line an instruction is of.
enum class LineFormat : std::uint8_t {
	lnotab,   // <= 3.9:  co_lnotab, Objects/lnotab_notes.txt of v3.9
	ranges,   // 3.10:    co_linetable, Objects/lnotab_notes.txt of v3.10
	locations // >= 3.11: co_linetable, Objects/locations.md of v3.11 (3.14: InternalDocs/code_objects.md)
};

// Line of the instruction `offset` bytes into the bytecode, as frame.f_lineno has it. A negative offset is a frame that has not
// run its first instruction: the first line. nullopt: the compiler gave this instruction no line, or the table does not reach it.
// The table may be any bytes.
[[nodiscard]] std::optional<int> line_at(LineFormat format, std::span<const std::uint8_t> table, int first_line,
                                         std::int64_t offset);

} // namespace loopsnoop::runtimes::cpython

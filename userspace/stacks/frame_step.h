// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "model/capture.h"
#include "process/memory.h"
#include "stacks/unwind_row.h"

namespace loopsnoop::stacks {

// Registers of one frame; those that could not be recovered are not known.
struct FrameRegisters {
	UserRegisters values;
	std::uint32_t known = 0; // bit n: register n

	[[nodiscard]] std::optional<std::uint64_t> get(std::size_t reg) const {
		return reg < UserRegisters::count && (known >> reg & 1U) != 0 ? std::optional(values.r[reg]) : std::nullopt;
	}
	void set(std::size_t reg, std::uint64_t value) {
		values.r[reg] = value;
		known |= 1U << reg;
	}
};

// The words of a stack: the copied bytes first; beyond them the target's memory, when there is one to ask.
class StackWords {
public:
	StackWords(std::uint64_t address, std::span<const std::uint8_t> bytes, const process::Memory *beyond)
	    : address_(address), bytes_(bytes), beyond_(beyond) {}

	// `bytes` <= 8, little endian, the rest 0.
	[[nodiscard]] std::optional<std::uint64_t> read(std::uint64_t address, std::size_t bytes = 8) const;
	[[nodiscard]] bool has_beyond() const { return beyond_ != nullptr; }

private:
	std::uint64_t address_;
	std::span<const std::uint8_t> bytes_;
	const process::Memory *beyond_;
};

// Evaluates a DWARF expression as call frame information uses them (DWARF 5, section 2.5): `initial` is pushed first, the result
// is the top. nullopt: broken, an operation without sense here, memory or a register that is not there, or more than 1,000
// operations.
[[nodiscard]] std::optional<std::uint64_t> evaluate(std::span<const std::uint8_t> expression, const FrameRegisters &registers,
                                                    const StackWords &words, std::optional<std::uint64_t> initial);

enum class Step : std::uint8_t {
	caller,    // `registers` are the caller's now
	outermost, // the row says that there is no caller
	unknown,   // a register or a word that the rules need is not there
};
[[nodiscard]] Step step_by_row(const UnwindRow &row, FrameRegisters &registers, const StackWords &words);

// For code that nothing describes but that keeps frame pointers: rbp points to the caller's rbp, the return address lies above
// it. `unknown` when rbp cannot be such a pointer; `outermost` when it is 0, the ABI's mark of the deepest frame.
[[nodiscard]] Step step_by_frame_pointer(FrameRegisters &registers, const StackWords &words);

} // namespace loopsnoop::stacks

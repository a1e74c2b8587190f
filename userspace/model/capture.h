// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "arch/cpu.h"
#include "model/special_members.h"
#include "model/stack.h"

namespace loopsnoop {

// User registers by DWARF number: see arch/.
struct UserRegisters {
	static constexpr std::size_t frame_pointer = arch::frame_pointer;
	static constexpr std::size_t stack_pointer = arch::stack_pointer;
	static constexpr std::size_t instruction_pointer = arch::instruction_pointer;
	static constexpr std::size_t count = arch::registers;
	std::array<std::uint64_t, count> r{};

	[[nodiscard]] std::uint64_t ip() const { return r[instruction_pointer]; }
	[[nodiscard]] std::uint64_t sp() const { return r[stack_pointer]; }
};

// One interpreter frame as it was found: names and lines are read from the target later.
struct PythonFrameRef {
	std::uint64_t code = 0;        // address of the PyCodeObject
	std::uint64_t instruction = 0; // CPython >= 3.11: address of the current code unit; 3.9, 3.10: f_lasti
	bool operator==(const PythonFrameRef &) const = default;
};

// A stack before anything was resolved: plain numbers and bytes.
struct RawStack {
	LOOPSNOOP_SPECIAL_MEMBERS(RawStack);

	StackFrom from = StackFrom::none;
	std::uint32_t pid = 0; // whose address space the numbers are of
	std::uint32_t tid = 0;
	bool have_registers = false;
	UserRegisters registers;
	std::uint64_t stack_address = 0; // where stack_bytes begins: the user stack pointer
	std::vector<std::uint8_t> stack_bytes;
	std::vector<PythonFrameRef> python; // innermost first
	std::vector<std::uint64_t> kernel;  // kernel addresses, innermost first
};

} // namespace loopsnoop

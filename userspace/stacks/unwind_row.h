// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/capture.h"

namespace loopsnoop::stacks {

// How the caller's value of one register is found (DWARF 5, section 6.4.1).
struct RegisterRule {
	enum class Kind : std::uint8_t { unspecified, same, undefined, offset, value_offset, copy, expression, value_expression };
	Kind kind = Kind::unspecified;
	std::uint16_t length = 0; // of the expression
	std::int32_t value = 0; // offset from the CFA in bytes, a register's number, or where the expression begins in `expressions`
};

// The rules that hold at one instruction.
struct UnwindRow {
	bool cfa_is_expression = false;
	bool signal_frame = false; // augmentation 'S': the return address is that of an interrupted instruction, not of a call
	std::uint8_t cfa_register = 0;
	std::uint16_t cfa_length = 0;
	std::int64_t cfa_offset = 0;      // bytes from the register, or where the expression begins
	std::uint64_t function_start = 0; // first address that the frame description covers
	std::array<RegisterRule, UserRegisters::count> rules{};
	std::vector<std::uint8_t> expressions;
};

} // namespace loopsnoop::stacks

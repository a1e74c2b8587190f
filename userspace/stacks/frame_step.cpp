// SPDX-License-Identifier: Apache-2.0
#include "stacks/frame_step.h"

#include <array>
#include <cstring>

#include "arch/cpu.h"

namespace loopsnoop::stacks {
namespace {

using RuleKind = RegisterRule::Kind;

std::span<const std::uint8_t> expression_of(const UnwindRow &row, std::int64_t begin, std::size_t length) {
	return std::span(row.expressions).subspan(static_cast<std::size_t>(begin), length);
}

std::optional<std::uint64_t> cfa_of(const UnwindRow &row, const FrameRegisters &registers, const StackWords &words) {
	if (row.cfa_is_expression) {
		return evaluate(expression_of(row, row.cfa_offset, row.cfa_length), registers, words, std::nullopt);
	}
	const auto base = registers.get(row.cfa_register);
	return base ? std::optional(*base + static_cast<std::uint64_t>(row.cfa_offset)) : std::nullopt;
}

std::optional<std::uint64_t> value_of(const UnwindRow &row, std::size_t reg, std::uint64_t cfa, const FrameRegisters &registers,
                                      const StackWords &words) {
	const RegisterRule &rule = row.rules[reg];
	const std::uint64_t at = cfa + static_cast<std::uint64_t>(std::int64_t{rule.value});
	switch (rule.kind) {
	case RuleKind::unspecified:
		if (reg == UserRegisters::stack_pointer) {
			return cfa;
		}
		return (arch::callee_saved >> reg & 1U) != 0 ? registers.get(reg) : std::nullopt;
	case RuleKind::same: return registers.get(reg);
	case RuleKind::undefined: return std::nullopt;
	case RuleKind::offset: return words.read(at);
	case RuleKind::value_offset: return at;
	case RuleKind::copy: return registers.get(static_cast<std::size_t>(rule.value));
	case RuleKind::expression: {
		const auto address = evaluate(expression_of(row, rule.value, rule.length), registers, words, cfa);
		return address ? words.read(*address) : std::nullopt;
	}
	case RuleKind::value_expression: return evaluate(expression_of(row, rule.value, rule.length), registers, words, cfa);
	}
	return std::nullopt;
}

} // namespace

std::optional<std::uint64_t> StackWords::read(std::uint64_t address, std::size_t bytes) const {
	std::uint64_t value = 0;
	if (address >= address_ && address - address_ <= bytes_.size() && bytes <= bytes_.size() - (address - address_)) {
		std::memcpy(&value, bytes_.data() + (address - address_), bytes);
		return value;
	}
	std::array<std::byte, 8> word{};
	if (beyond_ == nullptr || !beyond_->read(address, std::span(word).first(bytes))) {
		return std::nullopt;
	}
	std::memcpy(&value, word.data(), bytes);
	return value;
}

Step step_by_row(const UnwindRow &row, FrameRegisters &registers, const StackWords &words) {
	if (row.rules[UserRegisters::instruction_pointer].kind == RuleKind::undefined) {
		return Step::outermost;
	}
	const auto cfa = cfa_of(row, registers, words);
	if (!cfa) {
		return Step::unknown;
	}
	FrameRegisters caller;
	for (std::size_t reg = 0; reg < UserRegisters::count; ++reg) {
		if (const auto value = value_of(row, reg, *cfa, registers, words)) {
			caller.set(reg, *value);
		}
	}
	if (!caller.get(UserRegisters::instruction_pointer) || !caller.get(UserRegisters::stack_pointer)) {
		return Step::unknown;
	}
	registers = caller;
	return Step::caller;
}

Step step_by_frame_pointer(FrameRegisters &registers, const StackWords &words) {
	const auto frame = registers.get(UserRegisters::frame_pointer);
	const auto stack = registers.get(UserRegisters::stack_pointer);
	if (!frame || !stack) {
		return Step::unknown;
	}
	if (*frame == 0) {
		return Step::outermost;
	}
	if (*frame < *stack || *frame % 8 != 0) {
		return Step::unknown;
	}
	const auto callers_frame = words.read(*frame);
	const auto return_address = words.read(*frame + 8);
	if (!callers_frame || !return_address) {
		return Step::unknown;
	}
	FrameRegisters caller;
	caller.set(UserRegisters::frame_pointer, *callers_frame);
	caller.set(UserRegisters::stack_pointer, *frame + 16);
	caller.set(UserRegisters::instruction_pointer, *return_address);
	registers = caller;
	return Step::caller;
}

} // namespace loopsnoop::stacks

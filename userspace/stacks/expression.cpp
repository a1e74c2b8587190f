// SPDX-License-Identifier: Apache-2.0
#include <dwarf.h>

#include <array>

#include "stacks/byte_cursor.h"
#include "stacks/frame_step.h"

namespace loopsnoop::stacks {
namespace {

constexpr int max_operations = 1000;

// DWARF's stack of generic values; anything out of bounds turns it broken for good.
class Evaluation {
public:
	Evaluation(std::span<const std::uint8_t> expression, const FrameRegisters &registers, const StackWords &words)
	    : cursor_(expression), registers_(registers), words_(words) {}

	void push(std::uint64_t value) {
		if (depth_ == stack_.size()) {
			broken_ = true;
		} else {
			stack_[depth_++] = value;
		}
	}

	std::optional<std::uint64_t> run() {
		for (int i = 0; i < max_operations; ++i) {
			if (cursor_.at_end()) {
				const std::uint64_t top = pop();
				return cursor_.ok() && !broken_ ? std::optional(top) : std::nullopt;
			}
			const auto operation = cursor_.fixed<std::uint8_t>();
			if (!(constant(operation) || shuffle(operation) || unary(operation) || binary(operation) || flow(operation)) ||
			    broken_ || !cursor_.ok()) {
				return std::nullopt;
			}
		}
		return std::nullopt;
	}

private:
	std::uint64_t pop() {
		if (depth_ == 0) {
			broken_ = true;
			return 0;
		}
		return stack_[--depth_];
	}
	void pick(std::size_t from_top) {
		if (from_top >= depth_) {
			broken_ = true;
		} else {
			push(stack_[depth_ - 1 - from_top]);
		}
	}
	void push_signed(std::int64_t value) { push(static_cast<std::uint64_t>(value)); }
	void push_register(std::uint64_t reg, std::int64_t offset) {
		const auto value = reg < UserRegisters::count ? registers_.get(reg) : std::nullopt;
		broken_ = broken_ || !value;
		push(value.value_or(0) + static_cast<std::uint64_t>(offset));
	}
	void dereference(std::size_t bytes) {
		const auto value = bytes >= 1 && bytes <= 8 ? words_.read(pop(), bytes) : std::nullopt;
		broken_ = broken_ || !value;
		push(value.value_or(0));
	}

	bool constant(std::uint8_t operation) {
		if (operation >= DW_OP_lit0 && operation <= DW_OP_lit31) {
			push(operation - DW_OP_lit0);
			return true;
		}
		if (operation >= DW_OP_breg0 && operation <= DW_OP_breg31) {
			push_register(operation - DW_OP_breg0, cursor_.sleb());
			return true;
		}
		switch (operation) {
		case DW_OP_bregx: {
			const std::uint64_t reg = cursor_.uleb();
			push_register(reg, cursor_.sleb());
			return true;
		}
		case DW_OP_addr:
		case DW_OP_const8u:
		case DW_OP_const8s: push(cursor_.fixed<std::uint64_t>()); return true;
		case DW_OP_const1u: push(cursor_.fixed<std::uint8_t>()); return true;
		case DW_OP_const1s: push_signed(cursor_.fixed<std::int8_t>()); return true;
		case DW_OP_const2u: push(cursor_.fixed<std::uint16_t>()); return true;
		case DW_OP_const2s: push_signed(cursor_.fixed<std::int16_t>()); return true;
		case DW_OP_const4u: push(cursor_.fixed<std::uint32_t>()); return true;
		case DW_OP_const4s: push_signed(cursor_.fixed<std::int32_t>()); return true;
		case DW_OP_constu: push(cursor_.uleb()); return true;
		case DW_OP_consts: push_signed(cursor_.sleb()); return true;
		default: return false;
		}
	}

	bool shuffle(std::uint8_t operation) {
		switch (operation) {
		case DW_OP_dup: pick(0); return true;
		case DW_OP_over: pick(1); return true;
		case DW_OP_pick: pick(cursor_.fixed<std::uint8_t>()); return true;
		case DW_OP_drop: static_cast<void>(pop()); return true;
		case DW_OP_swap: {
			const std::uint64_t top = pop();
			const std::uint64_t second = pop();
			push(top);
			push(second);
			return true;
		}
		case DW_OP_rot: {
			const std::uint64_t top = pop();
			const std::uint64_t second = pop();
			const std::uint64_t third = pop();
			push(top);
			push(third);
			push(second);
			return true;
		}
		default: return false;
		}
	}

	bool unary(std::uint8_t operation) {
		switch (operation) {
		case DW_OP_deref: dereference(8); return true;
		case DW_OP_deref_size: dereference(cursor_.fixed<std::uint8_t>()); return true;
		case DW_OP_abs: {
			const std::uint64_t value = pop();
			push(static_cast<std::int64_t>(value) < 0 ? 0 - value : value);
			return true;
		}
		case DW_OP_neg: push(0 - pop()); return true;
		case DW_OP_not: push(~pop()); return true;
		case DW_OP_plus_uconst: push(pop() + cursor_.uleb()); return true;
		default: return false;
		}
	}

	bool binary(std::uint8_t operation) {
		if (operation < DW_OP_and || operation > DW_OP_ne) {
			return false;
		}
		if (operation == DW_OP_bra || operation == DW_OP_neg || operation == DW_OP_not || operation == DW_OP_plus_uconst) {
			return false;
		}
		const std::uint64_t b = pop();
		const std::uint64_t a = pop();
		const auto signed_a = static_cast<std::int64_t>(a);
		const auto signed_b = static_cast<std::int64_t>(b);
		switch (operation) {
		case DW_OP_and: push(a & b); return true;
		case DW_OP_or: push(a | b); return true;
		case DW_OP_xor: push(a ^ b); return true;
		case DW_OP_plus: push(a + b); return true;
		case DW_OP_minus: push(a - b); return true;
		case DW_OP_mul: push(a * b); return true;
		case DW_OP_div:
			broken_ = broken_ || b == 0;
			// The smallest number divided by -1 is a trap on this machine.
			push(broken_ || signed_b == -1 ? 0 - a : static_cast<std::uint64_t>(signed_a / signed_b));
			return true;
		case DW_OP_mod:
			broken_ = broken_ || b == 0;
			push(broken_ ? 0 : a % b);
			return true;
		case DW_OP_shl: push(b < 64 ? a << b : 0); return true;
		case DW_OP_shr: push(b < 64 ? a >> b : 0); return true;
		case DW_OP_shra: push_signed(signed_a >> (b < 64 ? b : 63)); return true;
		case DW_OP_eq: push(a == b ? 1 : 0); return true;
		case DW_OP_ne: push(a != b ? 1 : 0); return true;
		case DW_OP_ge: push(signed_a >= signed_b ? 1 : 0); return true;
		case DW_OP_gt: push(signed_a > signed_b ? 1 : 0); return true;
		case DW_OP_le: push(signed_a <= signed_b ? 1 : 0); return true;
		case DW_OP_lt: push(signed_a < signed_b ? 1 : 0); return true;
		default: return false;
		}
	}

	bool flow(std::uint8_t operation) {
		switch (operation) {
		case DW_OP_nop: return true;
		case DW_OP_skip: cursor_.jump(cursor_.fixed<std::int16_t>()); return true;
		case DW_OP_bra: {
			const auto distance = cursor_.fixed<std::int16_t>();
			if (pop() != 0) {
				cursor_.jump(distance);
			}
			return true;
		}
		default: return false;
		}
	}

	ByteCursor cursor_;
	const FrameRegisters &registers_;
	const StackWords &words_;
	std::array<std::uint64_t, 64> stack_{};
	std::size_t depth_ = 0;
	bool broken_ = false;
};

} // namespace

std::optional<std::uint64_t> evaluate(std::span<const std::uint8_t> expression, const FrameRegisters &registers,
                                      const StackWords &words, std::optional<std::uint64_t> initial) {
	Evaluation evaluation(expression, registers, words);
	if (initial) {
		evaluation.push(*initial);
	}
	return evaluation.run();
}

} // namespace loopsnoop::stacks

// SPDX-License-Identifier: Apache-2.0
#include "stacks/cfi_program.h"

#include <dwarf.h>

#include <limits>

namespace loopsnoop::stacks {
namespace {

using Kind = RegisterRule::Kind;

constexpr std::size_t max_remembered = 64;
constexpr std::size_t max_expression_bytes = 1024; // of one row together; real ones have about ten

class Machine {
public:
	Machine(const CommonEntry &common, std::uint64_t function_start, std::uint64_t address)
	    : common_(common), location_(function_start), address_(address) {
		row_.signal_frame = common.signal_frame;
		row_.function_start = function_start;
	}

	// False: broken. Stops when the location passes the address.
	bool run(std::span<const std::uint8_t> instructions) {
		ByteCursor cursor(instructions);
		while (!cursor.at_end() && !passed_) {
			if (!step(cursor) || !cursor.ok()) {
				return false;
			}
		}
		return cursor.ok();
	}
	void remember_initial() { initial_ = row_; }
	UnwindRow take() { return std::move(row_); }

private:
	void advance(std::uint64_t units) {
		// Past the address the row in hand is the one asked for.
		const std::uint64_t distance = units * common_.code_alignment;
		if (distance > address_ - location_) {
			passed_ = true;
		} else {
			location_ += distance;
		}
	}

	bool rule(std::uint64_t reg, Kind kind, std::int64_t value) {
		if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max()) {
			return false;
		}
		if (reg < row_.rules.size()) { // vector registers and the like do not matter for the walk
			row_.rules[reg] = {kind, 0, static_cast<std::int32_t>(value)};
		}
		return true;
	}
	bool factored(std::uint64_t reg, Kind kind, std::int64_t units) {
		std::int64_t value = 0;
		return !__builtin_mul_overflow(units, common_.data_alignment, &value) && rule(reg, kind, value);
	}
	bool unsigned_factored(std::uint64_t reg, Kind kind, std::uint64_t units) {
		return units <= std::numeric_limits<std::int32_t>::max() && factored(reg, kind, static_cast<std::int64_t>(units));
	}

	// Where the expression begins, nullopt when it is too long.
	std::optional<std::int32_t> keep_expression(std::span<const std::uint8_t> bytes) {
		if (bytes.size() > max_expression_bytes - row_.expressions.size()) {
			return std::nullopt;
		}
		const auto begin = static_cast<std::int32_t>(row_.expressions.size());
		row_.expressions.insert(row_.expressions.end(), bytes.begin(), bytes.end());
		return begin;
	}
	bool expression_rule(std::uint64_t reg, Kind kind, std::span<const std::uint8_t> bytes) {
		const auto begin = keep_expression(bytes);
		if (begin && reg < row_.rules.size()) {
			row_.rules[reg] = {kind, static_cast<std::uint16_t>(bytes.size()), *begin};
		}
		return begin.has_value();
	}

	bool cfa(std::uint64_t reg, std::int64_t offset) {
		row_.cfa_is_expression = false;
		row_.cfa_register = static_cast<std::uint8_t>(reg);
		row_.cfa_offset = offset;
		return reg < row_.rules.size();
	}
	bool cfa_factored(std::uint64_t reg, std::int64_t units) {
		std::int64_t offset = 0;
		return !__builtin_mul_overflow(units, common_.data_alignment, &offset) && cfa(reg, offset);
	}
	bool cfa_expression(std::span<const std::uint8_t> bytes) {
		const auto begin = keep_expression(bytes);
		row_.cfa_is_expression = true;
		row_.cfa_offset = begin.value_or(0);
		row_.cfa_length = static_cast<std::uint16_t>(bytes.size());
		return begin.has_value();
	}

	bool restore(std::uint64_t reg) {
		if (!initial_) {
			return false;
		}
		if (reg < row_.rules.size()) {
			// The initial rows' expressions stand at the beginning of `expressions` and are only ever appended to.
			row_.rules[reg] = initial_->rules[reg];
		}
		return true;
	}

	bool step(ByteCursor &cursor) {
		const auto byte = cursor.fixed<std::uint8_t>();
		const std::uint8_t low = byte & 0x3fU;
		switch (byte & 0xc0U) {
		case DW_CFA_advance_loc: advance(low); return true;
		case DW_CFA_offset: return unsigned_factored(low, Kind::offset, cursor.uleb());
		case DW_CFA_restore: return restore(low);
		default: return extended(byte, cursor);
		}
	}

	bool extended(std::uint8_t operation, ByteCursor &cursor) {
		switch (operation) {
		case DW_CFA_nop: return true;
		case DW_CFA_advance_loc1: advance(cursor.fixed<std::uint8_t>()); return true;
		case DW_CFA_advance_loc2: advance(cursor.fixed<std::uint16_t>()); return true;
		case DW_CFA_advance_loc4: advance(cursor.fixed<std::uint32_t>()); return true;
		case DW_CFA_offset_extended: {
			const std::uint64_t reg = cursor.uleb();
			return unsigned_factored(reg, Kind::offset, cursor.uleb());
		}
		case DW_CFA_restore_extended: return restore(cursor.uleb());
		case DW_CFA_undefined: return rule(cursor.uleb(), Kind::undefined, 0);
		case DW_CFA_same_value: return rule(cursor.uleb(), Kind::same, 0);
		case DW_CFA_register: {
			const std::uint64_t reg = cursor.uleb();
			const std::uint64_t from = cursor.uleb();
			return from < row_.rules.size() && rule(reg, Kind::copy, static_cast<std::int64_t>(from));
		}
		case DW_CFA_remember_state:
			if (remembered_.size() >= max_remembered) {
				return false;
			}
			remembered_.push_back(row_);
			return true;
		case DW_CFA_restore_state:
			if (remembered_.empty()) {
				return false;
			}
			row_ = std::move(remembered_.back());
			remembered_.pop_back();
			return true;
		case DW_CFA_def_cfa: {
			const std::uint64_t reg = cursor.uleb();
			return cfa(reg, static_cast<std::int64_t>(cursor.uleb()));
		}
		case DW_CFA_def_cfa_sf: {
			const std::uint64_t reg = cursor.uleb();
			return cfa_factored(reg, cursor.sleb());
		}
		case DW_CFA_def_cfa_register: return !row_.cfa_is_expression && cfa(cursor.uleb(), row_.cfa_offset);
		case DW_CFA_def_cfa_offset:
			return !row_.cfa_is_expression && cfa(row_.cfa_register, static_cast<std::int64_t>(cursor.uleb()));
		case DW_CFA_def_cfa_offset_sf: return !row_.cfa_is_expression && cfa_factored(row_.cfa_register, cursor.sleb());
		case DW_CFA_def_cfa_expression: return cfa_expression(cursor.block(cursor.uleb()));
		case DW_CFA_expression: {
			const std::uint64_t reg = cursor.uleb();
			return expression_rule(reg, Kind::expression, cursor.block(cursor.uleb()));
		}
		case DW_CFA_val_expression: {
			const std::uint64_t reg = cursor.uleb();
			return expression_rule(reg, Kind::value_expression, cursor.block(cursor.uleb()));
		}
		case DW_CFA_offset_extended_sf: {
			const std::uint64_t reg = cursor.uleb();
			return factored(reg, Kind::offset, cursor.sleb());
		}
		case DW_CFA_val_offset: {
			const std::uint64_t reg = cursor.uleb();
			return unsigned_factored(reg, Kind::value_offset, cursor.uleb());
		}
		case DW_CFA_val_offset_sf: {
			const std::uint64_t reg = cursor.uleb();
			return factored(reg, Kind::value_offset, cursor.sleb());
		}
		case DW_CFA_GNU_args_size: static_cast<void>(cursor.uleb()); return true;
		case DW_CFA_GNU_negative_offset_extended: {
			const std::uint64_t reg = cursor.uleb();
			const std::uint64_t units = cursor.uleb();
			return units <= std::numeric_limits<std::int32_t>::max() &&
			       factored(reg, Kind::offset, -static_cast<std::int64_t>(units));
		}
		default: return set_location(operation, cursor);
		}
	}

	bool set_location(std::uint8_t operation, ByteCursor &cursor) {
		// Compilers do not emit DW_CFA_set_loc; only its absolute form is understood.
		if (operation != DW_CFA_set_loc || common_.pointer_encoding != DW_EH_PE_absptr) {
			return false;
		}
		const auto to = cursor.fixed<std::uint64_t>();
		if (to < location_) {
			return false;
		}
		passed_ = to > address_;
		location_ = passed_ ? location_ : to;
		return true;
	}

	const CommonEntry &common_;
	std::uint64_t location_;
	std::uint64_t address_;
	bool passed_ = false;
	UnwindRow row_;
	std::optional<UnwindRow> initial_;
	std::vector<UnwindRow> remembered_;
};

} // namespace

std::optional<std::uint64_t> read_encoded(ByteCursor &cursor, std::uint8_t encoding, std::uint64_t field_address,
                                          std::uint64_t data_base) {
	if (encoding == DW_EH_PE_omit || (encoding & DW_EH_PE_indirect) != 0) {
		return std::nullopt;
	}
	std::uint64_t value = 0;
	switch (encoding & 0x0fU) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8: value = cursor.fixed<std::uint64_t>(); break;
	case DW_EH_PE_uleb128: value = cursor.uleb(); break;
	case DW_EH_PE_sleb128: value = static_cast<std::uint64_t>(cursor.sleb()); break;
	case DW_EH_PE_udata2: value = cursor.fixed<std::uint16_t>(); break;
	case DW_EH_PE_sdata2: value = static_cast<std::uint64_t>(static_cast<std::int64_t>(cursor.fixed<std::int16_t>())); break;
	case DW_EH_PE_udata4: value = cursor.fixed<std::uint32_t>(); break;
	case DW_EH_PE_sdata4: value = static_cast<std::uint64_t>(static_cast<std::int64_t>(cursor.fixed<std::int32_t>())); break;
	default: return std::nullopt;
	}
	switch (encoding & 0x70U) {
	case DW_EH_PE_absptr: break;
	case DW_EH_PE_pcrel: value += field_address; break;
	case DW_EH_PE_datarel: value += data_base; break;
	default: return std::nullopt; // textrel, funcrel, aligned: not used on x86-64
	}
	return cursor.ok() ? std::optional(value) : std::nullopt;
}

std::optional<UnwindRow> run_cfi(const CommonEntry &common, std::span<const std::uint8_t> instructions,
                                 std::uint64_t function_start, std::uint64_t address) {
	if (address < function_start) {
		return std::nullopt;
	}
	Machine machine(common, function_start, address);
	if (!machine.run(common.instructions)) {
		return std::nullopt;
	}
	machine.remember_initial();
	if (!machine.run(instructions)) {
		return std::nullopt;
	}
	return machine.take();
}

} // namespace loopsnoop::stacks

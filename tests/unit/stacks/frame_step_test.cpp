// SPDX-License-Identifier: Apache-2.0
#include "stacks/frame_step.h"

#include <dwarf.h>

#include <cstring>
#include <vector>

#include "catch.h"
#include "stacks/cfi_program.h"

using namespace loopsnoop;
using namespace loopsnoop::stacks;

namespace {

struct Fixture {
	std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(256);
	FrameRegisters registers;
	static constexpr std::uint64_t base = 0x7000;

	Fixture() { registers.set(UserRegisters::stack_pointer, base); }
	void word(std::uint64_t address, std::uint64_t value) { std::memcpy(bytes.data() + (address - base), &value, sizeof(value)); }
	[[nodiscard]] StackWords words() const { return {base, bytes, nullptr}; }
	[[nodiscard]] std::optional<std::uint64_t> run(const std::vector<std::uint8_t> &expression,
	                                               std::optional<std::uint64_t> initial = {}) const {
		return evaluate(expression, registers, words(), initial);
	}
};

} // namespace

TEST_CASE("expressions of the procedure linkage table are evaluated") {
	// What binutils writes for .plt: rsp + 8 + ((rip & 15) >= 11) * 8.
	const std::vector<std::uint8_t> plt{DW_OP_breg7, 8,        DW_OP_breg0 + 16, 0,         DW_OP_lit15, DW_OP_and,
	                                    DW_OP_lit11, DW_OP_ge, DW_OP_lit3,       DW_OP_shl, DW_OP_plus};
	Fixture fixture;
	fixture.registers.set(UserRegisters::instruction_pointer, 0x40102b);
	CHECK(fixture.run(plt) == Fixture::base + 16);
	fixture.registers.set(UserRegisters::instruction_pointer, 0x401026);
	CHECK(fixture.run(plt) == Fixture::base + 8);
}

TEST_CASE("broken expressions have no value and end") {
	const Fixture fixture;
	using Bytes = std::vector<std::uint8_t>;
	for (const Bytes &expression :
	     {Bytes{}, Bytes{DW_OP_plus}, Bytes{DW_OP_lit0, DW_OP_lit0, DW_OP_div}, Bytes{DW_OP_lit1, DW_OP_lit0, DW_OP_mod},
	      Bytes{DW_OP_skip, 0xfd, 0xff}, Bytes{DW_OP_skip, 0xff, 0x7f}, Bytes{DW_OP_lit1, DW_OP_bra, 0xfc, 0xff},
	      Bytes{DW_OP_const8u, 1, 2}, Bytes{DW_OP_breg0, 0}, Bytes{0xff}, Bytes{DW_OP_lit0, DW_OP_deref},
	      Bytes{DW_OP_breg7, 0, DW_OP_deref_size, 9}, Bytes{DW_OP_pick, 200}, Bytes{DW_OP_constu, 0x80, 0x80, 0x80}}) {
		CHECK_FALSE(fixture.run(expression));
	}
	CHECK_FALSE(fixture.run(Bytes(100, DW_OP_lit0))); // deeper than the stack
	CHECK(fixture.run(Bytes{DW_OP_const8u, 0, 0, 0, 0, 0, 0, 0, 0x80, DW_OP_const1s, 0xff, DW_OP_div}) == 0x8000000000000000);
	CHECK(fixture.run(Bytes{DW_OP_lit1, DW_OP_const1u, 200, DW_OP_shl}) == 0);
	CHECK(fixture.run(Bytes{DW_OP_plus_uconst, 8}, 100) == 108);
}

TEST_CASE("a frame pointer is believed only where it can be one") {
	Fixture fixture;
	fixture.word(Fixture::base + 0x20, 0x7080);
	fixture.word(Fixture::base + 0x28, 0x401234);
	fixture.registers.set(UserRegisters::frame_pointer, Fixture::base + 0x20);
	CHECK(step_by_frame_pointer(fixture.registers, fixture.words()) == Step::caller);
	CHECK(fixture.registers.values.ip() == 0x401234);
	CHECK(fixture.registers.values.sp() == Fixture::base + 0x30);
	CHECK(fixture.registers.get(UserRegisters::frame_pointer) == 0x7080);
	CHECK_FALSE(fixture.registers.get(3)); // rbx: nobody said where it is
	fixture.registers.set(UserRegisters::stack_pointer, Fixture::base);
	for (const std::uint64_t rbp :
	     std::vector<std::uint64_t>{Fixture::base - 8, Fixture::base + 0x31, Fixture::base + 0xf8, ~7ULL, 1}) {
		fixture.registers.set(UserRegisters::frame_pointer, rbp);
		CHECK(step_by_frame_pointer(fixture.registers, fixture.words()) == Step::unknown);
	}
	fixture.registers.set(UserRegisters::frame_pointer, 0);
	CHECK(step_by_frame_pointer(fixture.registers, fixture.words()) == Step::outermost);
}

TEST_CASE("call frame instructions that are broken give no row") {
	CommonEntry common;
	common.data_alignment = -8;
	common.instructions = {DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1};
	using Bytes = std::vector<std::uint8_t>;
	const auto row =
	    run_cfi(common, Bytes{DW_CFA_advance_loc | 4, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 6, 2}, 0x1000, 0x1004);
	REQUIRE(row);
	CHECK(row->cfa_offset == 16);
	CHECK(row->rules[6].value == -16);
	CHECK(run_cfi(common, Bytes{DW_CFA_advance_loc | 4, DW_CFA_def_cfa_offset, 16}, 0x1000, 0x1003)->cfa_offset == 8);
	Bytes remembers(200, DW_CFA_remember_state);
	for (const Bytes &broken : {Bytes{DW_CFA_restore_state}, Bytes{DW_CFA_def_cfa}, Bytes{DW_CFA_def_cfa, 99, 8}, Bytes{0x3f},
	                            Bytes{DW_CFA_def_cfa_expression, 200, 1, 2}, Bytes{DW_CFA_register, 3, 99}, remembers,
	                            Bytes{DW_CFA_offset_extended, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
	                            Bytes{DW_CFA_def_cfa_register, 0xff, 0xff, 0xff, 0xff, 0x7f}}) {
		CHECK_FALSE(run_cfi(common, broken, 0x1000, 0x1004));
	}
	// A register's number that would be an array of gigabytes is passed over.
	CHECK(run_cfi(common, Bytes{DW_CFA_undefined, 0xff, 0xff, 0xff, 0xff, 0x0f}, 0x1000, 0x1004));
}

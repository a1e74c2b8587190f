// SPDX-License-Identifier: Apache-2.0
// Call frame instructions and the expressions in them, run over registers and a stack that are the target's, too.
#include "fuzz_input.h"
#include "stacks/cfi_program.h"
#include "stacks/frame_step.h"

using namespace loopsnoop;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
	fuzz::Bytes input(data, size);
	stacks::CommonEntry common;
	common.code_alignment = fuzz::take<std::uint8_t>(input);
	common.data_alignment = fuzz::take<std::int8_t>(input);
	common.pointer_encoding = fuzz::take<std::uint8_t>(input);
	const std::size_t initial = std::min<std::size_t>(fuzz::take<std::uint8_t>(input), input.size());
	common.instructions.assign(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(initial));
	input = input.subspan(initial);

	stacks::ByteCursor cursor(input);
	(void)stacks::read_encoded(cursor, common.pointer_encoding, 0x1000, 0x2000);

	stacks::FrameRegisters registers;
	constexpr std::uint64_t stack = 0x7f0000001000;
	for (std::size_t reg = 0; reg < UserRegisters::count; reg++) {
		registers.set(reg, stack + reg * 8);
	}
	const fuzz::InputMemory memory(input);
	const stacks::StackWords words(stack, input, &memory);
	(void)stacks::evaluate(input, registers, words, stack);
	if (auto row = stacks::run_cfi(common, input, 0x1000, 0x1080)) {
		for (int frame = 0; frame < 4 && stacks::step_by_row(*row, registers, words) == stacks::Step::caller; frame++) {
		}
	}
	(void)stacks::step_by_frame_pointer(registers, words);
	return 0;
}

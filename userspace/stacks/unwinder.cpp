// SPDX-License-Identifier: Apache-2.0
#include "stacks/unwinder.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "stacks/frame_step.h"

namespace loopsnoop::stacks {
namespace {

constexpr std::size_t max_frames = 256;
constexpr int max_stack_switches = 8;     // signal stacks and the like: the caller's frame may then lie below
constexpr std::uint64_t entry_bytes = 64; // a C library's entry code, up to its one call, is shorter

// Where threads begin in C libraries (and Go's runtime) that do not mark it in their call-frame information.
bool is_thread_start(const AddressSpace &space, const CodeRegion &region, const CodeLocation &location) {
	if (location.address - location.module->image().entry() < entry_bytes) {
		return true;
	}
	constexpr std::array<std::string_view, 8> names{"_start", "_dl_start_user", "clone",          "__clone",
	                                                "clone3", "__clone3",       "runtime.goexit", "runtime.mstart"};
	const Place &place = location.module->places(location.address, space.debug_search(region)).back();
	return place.function && std::find(names.begin(), names.end(), *place.function) != names.end();
}

} // namespace

UnwoundStack unwind(AddressSpace &space, const RawStack &raw, const process::Memory *beyond) {
	UnwoundStack stack;
	if (!raw.have_registers) {
		return stack;
	}
	space.freshen();
	const StackWords words(raw.stack_address, raw.stack_bytes, beyond);
	FrameRegisters registers;
	registers.values = raw.registers;
	registers.known = (1U << UserRegisters::count) - 1;
	bool after_call = false; // the innermost pc is where the thread is, not where it will return to
	int switches = 0;
	while (stack.frames.size() < max_frames) {
		const std::uint64_t pc = registers.values.ip();
		const std::uint64_t sp = registers.values.sp();
		const std::uint64_t instruction = after_call ? pc - 1 : pc;
		CodeRegion *const region = space.find(instruction);
		if (region == nullptr && !stack.frames.empty()) {
			stack.truncated = pc != 0; // 0 above the first function is how some runtimes mark the end
			break;
		}
		stack.frames.push_back({pc, instruction, registers.get(UserRegisters::frame_pointer).value_or(0)});
		const CodeLocation location = region == nullptr ? CodeLocation{} : space.locate(*region, instruction);
		const UnwindRow *const row = location.module ? location.module->row(location.address) : nullptr;
		const Step step = row != nullptr ? step_by_row(*row, registers, words) : step_by_frame_pointer(registers, words);
		if (step == Step::outermost) {
			stack.truncated =
			    row == nullptr && !(region != nullptr && location.module && is_thread_start(space, *region, location));
			break;
		}
		if (step == Step::unknown || (registers.values.sp() <= sp && ++switches > max_stack_switches)) {
			break;
		}
		after_call = row == nullptr || !row->signal_frame;
	}
	return stack;
}

} // namespace loopsnoop::stacks

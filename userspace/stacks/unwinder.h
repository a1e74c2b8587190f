// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "model/capture.h"
#include "process/memory.h"
#include "stacks/address_space.h"

namespace loopsnoop::stacks {

struct UnwoundFrame {
	std::uint64_t pc = 0;
	// Of the instruction that runs or made the call: pc, or pc - 1 where pc is a return address (the call may be the last
	// instruction of its function or line).
	std::uint64_t instruction = 0;
	std::uint64_t frame_pointer = 0; // rbp in that frame; 0: not known
};

struct UnwoundStack {
	std::vector<UnwoundFrame> frames; // innermost first
	bool truncated = true;            // the outermost frame was not reached
};

// Walks a copied stack by the call-frame information of the files that are mapped; through code without it by frame pointers.
// Garbage ends the walk: at most 256 frames, each outside the one before.
// `beyond`: for words that the copy does not hold; nullptr when the thread may have moved since.
[[nodiscard]] UnwoundStack unwind(AddressSpace &space, const RawStack &raw, const process::Memory *beyond);

} // namespace loopsnoop::stacks

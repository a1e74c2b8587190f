// SPDX-License-Identifier: Apache-2.0
#include "runtimes/cpython/walk.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <unordered_set>

namespace loopsnoop::runtimes::cpython {

namespace {

constexpr std::size_t max_interpreters = 256;
constexpr std::size_t max_threads = 16'384;
constexpr std::size_t steps_per_frame = 2; // frames of the C stack, which are skipped, included

std::uint64_t pointer_at(const process::Memory &memory, std::uint64_t address) {
	return memory.read_value<std::uint64_t>(address).value_or(0);
}

// Several members of one struct with one read.
class Block {
public:
	static constexpr std::size_t capacity = 512;

	bool load(const process::Memory &memory, std::uint64_t address, std::size_t bytes) {
		return bytes <= capacity && memory.read(address, std::span(bytes_).first(bytes));
	}
	[[nodiscard]] std::uint64_t pointer(std::uint32_t offset) const { return take<std::uint64_t>(offset); }
	template <typename T> [[nodiscard]] T take(std::uint32_t offset) const {
		T value{};
		std::memcpy(&value, bytes_.data() + offset, sizeof value);
		return value;
	}

private:
	std::array<std::byte, capacity> bytes_{};
};

} // namespace

std::vector<std::uint64_t> walk_interpreters(const process::Memory &memory, const Offsets &offsets, std::uint64_t runtime) {
	std::vector<std::uint64_t> found;
	std::uint64_t interpreter = pointer_at(memory, runtime + offsets.runtime.interpreters_head);
	while (interpreter != 0 && found.size() < max_interpreters && std::ranges::find(found, interpreter) == found.end()) {
		found.push_back(interpreter);
		interpreter = pointer_at(memory, interpreter + offsets.interpreter.next);
	}
	return found;
}

std::vector<ThreadState> walk_threads(const process::Memory &memory, const Offsets &offsets, std::uint64_t runtime) {
	std::vector<ThreadState> found;
	std::unordered_set<std::uint64_t> seen;
	const std::size_t wanted = std::max({offsets.thread.next, offsets.thread.interpreter,
	                                     std::uint32_t{offsets.frames.tstate_thread_id}, offsets.thread.native_id.value_or(0)}) +
	                           sizeof(std::uint64_t);
	for (const std::uint64_t interpreter : walk_interpreters(memory, offsets, runtime)) {
		std::uint64_t address = pointer_at(memory, interpreter + offsets.interpreter.threads_head);
		Block block;
		while (address != 0 && found.size() < max_threads && seen.insert(address).second && block.load(memory, address, wanted)) {
			// A thread state that went away meanwhile: its memory is another's, and so is its `next`.
			if (block.pointer(offsets.thread.interpreter) != interpreter) {
				break;
			}
			found.push_back({address, interpreter, block.pointer(offsets.frames.tstate_thread_id),
			                 offsets.thread.native_id ? block.pointer(*offsets.thread.native_id) : 0});
			address = block.pointer(offsets.thread.next);
		}
	}
	return found;
}

std::uint64_t current_frame(const process::Memory &memory, const PythonLayout &layout, std::uint64_t thread_state) {
	std::uint64_t pointer = pointer_at(memory, thread_state + layout.tstate_frame);
	if (layout.through_cframe && pointer != 0) {
		pointer = pointer_at(memory, pointer + layout.cframe_current_frame);
	}
	return pointer;
}

std::vector<PlacedFrame> walk_frames(const process::Memory &memory, const PythonLayout &layout, std::uint64_t thread_state,
                                     std::size_t max_frames) {
	std::vector<PlacedFrame> frames;
	const std::size_t wanted = std::max({std::size_t{layout.frame_back} + 8, std::size_t{layout.frame_code} + 8,
	                                     std::size_t{layout.frame_instruction} + (layout.instruction_is_index ? 4 : 8),
	                                     std::size_t{layout.has_owner ? layout.frame_owner : 0U} + 1});
	std::uint64_t frame = current_frame(memory, layout, thread_state);
	Block block;
	for (std::size_t step = 0; step < steps_per_frame * max_frames && frames.size() < max_frames && frame != 0; ++step) {
		if (!block.load(memory, frame, wanted)) {
			break;
		}
		const bool of_c_stack = layout.has_owner && block.take<std::uint8_t>(layout.frame_owner) >= layout.owner_c_stack;
		const std::uint64_t code = block.pointer(layout.frame_code) & layout.pointer_mask;
		if (!of_c_stack && code != 0) {
			frames.push_back({{code, layout.instruction_is_index ? block.take<std::uint32_t>(layout.frame_instruction)
			                                                     : block.pointer(layout.frame_instruction)},
			                  frame});
		}
		frame = block.pointer(layout.frame_back);
	}
	return frames;
}

std::uint64_t first_argument(const process::Memory &memory, const Offsets &offsets, const PlacedFrame &frame) {
	return memory.read_value<std::uint64_t>(frame.address + offsets.frame.locals).value_or(0) & offsets.frames.pointer_mask;
}

} // namespace loopsnoop::runtimes::cpython

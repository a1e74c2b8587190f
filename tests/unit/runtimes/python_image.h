// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "fake_memory.h"
#include "runtimes/cpython/offsets.h"

namespace loopsnoop::test {

using Minors = std::initializer_list<std::uint8_t>; // of versions 3.N

// Puts the structs of an interpreter into a FakeMemory, laid out by `offsets`. Addresses are the test's choice.
struct PythonImage {
	FakeMemory memory;
	runtimes::cpython::Offsets offsets;

	void interpreter(std::uint64_t runtime, std::uint64_t address, std::uint64_t next, std::uint64_t threads) {
		if (memory.read_value<std::uint64_t>(runtime + offsets.runtime.interpreters_head).value_or(0) == 0) {
			memory.put(runtime + offsets.runtime.interpreters_head, address);
		}
		memory.put(address + offsets.interpreter.next, next);
		memory.put(address + offsets.interpreter.threads_head, threads);
	}

	// With its thread's control block at `fs_base`.
	void thread(std::uint64_t address, std::uint64_t next, std::uint64_t of_interpreter, std::uint64_t fs_base,
	            std::uint64_t native_id, std::uint64_t frame) {
		memory.put(address + offsets.thread.next, next);
		memory.put(address + offsets.thread.interpreter, of_interpreter);
		memory.put(address + offsets.frames.tstate_thread_id, fs_base);
		if (offsets.thread.native_id) {
			memory.put(address + *offsets.thread.native_id, native_id);
		}
		memory.put(fs_base, fs_base);
		if (offsets.frames.through_cframe) {
			const std::uint64_t cframe = address + 0x400;
			memory.put(address + offsets.frames.tstate_frame, cframe);
			memory.put(cframe + offsets.frames.cframe_current_frame, frame);
		} else {
			memory.put(address + offsets.frames.tstate_frame, frame);
		}
	}

	void frame(std::uint64_t address, std::uint64_t back, std::uint64_t code, std::uint64_t instruction, std::uint8_t owner = 0) {
		memory.put(address + offsets.frames.frame_back, back);
		memory.put(address + offsets.frames.frame_code, code);
		if (offsets.frames.instruction_is_index) {
			memory.put(address + offsets.frames.frame_instruction, static_cast<std::uint32_t>(instruction));
		} else {
			memory.put(address + offsets.frames.frame_instruction, instruction);
		}
		if (offsets.frames.has_owner) {
			memory.put(address + offsets.frames.frame_owner, owner);
		}
	}

	// `width`: bytes a character, 0 for ASCII; `text`: the characters as they lie in memory.
	void string(std::uint64_t address, std::uint32_t width, std::string_view text) {
		const std::uint32_t character = width == 0 ? 1 : width;
		memory.put(address + offsets.text.length, static_cast<std::int64_t>(text.size() / character));
		memory.put(address + offsets.text.state, character << 2U | 0x20U | (width == 0 ? 0x40U : 0U));
		memory.put_text(address + (width == 0 ? offsets.text.ascii_size : offsets.text.compact_size), text);
	}

	void bytes(std::uint64_t address, const std::vector<std::uint8_t> &data) {
		memory.put(address + offsets.object.var_size, static_cast<std::int64_t>(data.size()));
		memory.put_bytes(address + offsets.object.bytes_data, std::as_bytes(std::span(data)));
	}

	void code(std::uint64_t address, std::uint64_t type, std::uint64_t name, std::uint64_t filename, std::uint64_t line_table,
	          std::int32_t first_line, std::int64_t units = 8) {
		memory.put(address + offsets.object.type, type);
		memory.put(address + offsets.object.var_size, units);
		memory.put(address + offsets.code.name, name);
		memory.put(address + offsets.code.filename, filename);
		memory.put(address + offsets.code.line_table, line_table);
		memory.put(address + offsets.code.first_line, first_line);
	}
};

} // namespace loopsnoop::test

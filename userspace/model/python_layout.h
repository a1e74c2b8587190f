// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace loopsnoop {

// What the kernel side needs to walk the frames of one CPython process, found by runtimes/cpython and handed to the
// collector. All offsets in bytes. See runtimes/cpython for the CPython files each one is taken from.
struct PythonLayout {
	std::uint16_t tstate_thread_id =
	    0; // PyThreadState.thread_id (pthread_self, = fs base): checks that a cached tstate is the thread's
	std::uint16_t tstate_frame = 0; // 3.9, 3.10: `frame`; 3.11, 3.12: `cframe`; >= 3.13: `current_frame`
	bool through_cframe = false;    // 3.11, 3.12: follow the pointer at cframe + cframe_current_frame
	std::uint16_t cframe_current_frame = 0;
	std::uint16_t frame_back = 0;        // `f_back` / `previous`
	std::uint16_t frame_code = 0;        // `f_code` / `f_executable`
	std::uint16_t frame_instruction = 0; // `f_lasti` / `prev_instr` / `instr_ptr`
	bool instruction_is_index = false;   // 3.9, 3.10: a 32-bit index, not an address
	std::uint16_t frame_owner = 0;       // >= 3.12: one byte; frames owned by the C stack are skipped
	bool has_owner = false;
	std::uint8_t owner_c_stack = 0;     // value of FRAME_OWNED_BY_CSTACK (3.14: FRAME_OWNED_BY_INTERPRETER), the smallest to skip
	std::uint64_t pointer_mask = ~0ULL; // and-ed onto f_executable (3.14 tags the low bits)

	// Futex words that belong to the GIL lie in [gil_begin, gil_end): its mutex, condition and switch condition. 0, 0: not known.
	std::uint64_t gil_begin = 0;
	std::uint64_t gil_end = 0;
	// Addresses of the same GIL's `locked` (int, 1: taken) and `last_holder` (PyThreadState *). 0: not known.
	std::uint64_t gil_locked = 0;
	std::uint64_t gil_last_holder = 0;
	// Address of the pointer to the first of an interpreter's PyThreadStates, 0: not known; and PyThreadState.next.
	std::uint64_t threads_head = 0;
	std::uint16_t tstate_next = 0;
	std::uint16_t tstate_native_id = 0; // PyThreadState.native_thread_id, >= 3.11; 0: there is none
};

} // namespace loopsnoop

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "model/capture.h"
#include "process/memory.h"
#include "runtimes/cpython/offsets.h"

namespace loopsnoop::runtimes::cpython {

// What lies in the linked lists of a running interpreter. The target goes on meanwhile: pointers may dangle and lists may bite
// their tail, so that every walk is bounded, and what cannot be read ends it.

struct ThreadState {
	std::uint64_t address = 0;     // PyThreadState*
	std::uint64_t interpreter = 0; // PyInterpreterState*
	std::uint64_t thread_id = 0;   // pthread_self(), which is the fs base on x86-64 (glibc, musl)
	std::uint64_t native_id = 0;   // gettid() as the thread itself sees it; 0: before 3.11, or not bound to a thread yet
};

// At most 256 interpreters; 65,536 threads over all interpreters.
[[nodiscard]] std::vector<std::uint64_t> walk_interpreters(const process::Memory &memory, const Offsets &offsets,
                                                           std::uint64_t runtime);
[[nodiscard]] std::vector<ThreadState> walk_threads(const process::Memory &memory, const Offsets &offsets, std::uint64_t runtime);

// The frame that a thread runs, 0 when it runs no Python code (or cannot be read).
[[nodiscard]] std::uint64_t current_frame(const process::Memory &memory, const PythonLayout &layout, std::uint64_t thread_state);

// A frame and where it is now: gone as soon as the thread goes on.
struct PlacedFrame {
	PythonFrameRef frame;
	std::uint64_t address = 0; // of the PyFrameObject or _PyInterpreterFrame
	bool operator==(const PlacedFrame &) const = default;
};

// Innermost first, 128 at most (or another number): the same walk as the kernel side does with the same layout.
inline constexpr std::size_t usual_frames = 128;
[[nodiscard]] std::vector<PlacedFrame> walk_frames(const process::Memory &memory, const PythonLayout &layout,
                                                   std::uint64_t thread_state, std::size_t max_frames = usual_frames);

// The object that is the frame's first local: `self` of a method. Anything, where the thread has gone on.
[[nodiscard]] std::uint64_t first_argument(const process::Memory &memory, const Offsets &offsets, const PlacedFrame &frame);

} // namespace loopsnoop::runtimes::cpython

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "runtimes/cpython/object_reader.h"
#include "runtimes/cpython/walk.h"

namespace loopsnoop::runtimes::cpython::gevent {

// A greenlet as greenlet's C++ part has it (TGreenlet.hpp, 2.0 to 3.5).
struct Greenlet {
	std::uint64_t object = 0;
	std::uint64_t parent = 0; // 0: it is a thread's main greenlet
	std::uint64_t frame = 0;  // the innermost, a PyFrameObject or _PyInterpreterFrame; 0: it runs, has ended or has not begun
};
[[nodiscard]] Greenlet read_greenlet(ObjectReader &reader, std::uint64_t object);

// What it was named (`greenlet.name = …`), or else its class: "Greenlet".
[[nodiscard]] std::string name_of_greenlet(ObjectReader &reader, std::uint64_t object);

// greenlet's ThreadState (TThreadState.hpp) of a thread: its main greenlet and the one that runs. A thread_local variable of
// greenlet's library leads to it, so that it is among the first words of a block of the thread's dynamic thread vector (glibc,
// musl). Believed where its main greenlet leads back to it. 0: the thread has no greenlets, or that vector is another one. Takes
// some milliseconds.
[[nodiscard]] std::uint64_t find_greenlet_state(ObjectReader &reader, const ThreadState &thread);
// The greenlet that runs now, by such a ThreadState; 0: it is none any more.
[[nodiscard]] std::uint64_t current_greenlet(ObjectReader &reader, std::uint64_t state);
// The greenlet that gevent's hub of this thread has switched to, when `current` runs: itself, or the one that it is a part of.
// 0: it is the hub, or no hub's. A thread's main greenlet is its own.
[[nodiscard]] std::uint64_t task_greenlet(ObjectReader &reader, std::uint64_t current);

} // namespace loopsnoop::runtimes::cpython::gevent

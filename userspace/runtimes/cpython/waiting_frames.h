// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/resource.h"
#include "model/stack.h"
#include "runtimes/cpython/interpreter.h"

// What a thread waits for by the locals of its innermost frame, where that is a function of the standard library that is known.
namespace loopsnoop::runtimes::cpython {

// One of importlib's locks, which a module has as long as it is being imported.
struct ImportLock {
	std::string module;
	std::uint64_t owner = 0; // pthread_self() of the thread that imports it; 0: nobody
};
// Of a thread that sleeps in importlib's _ModuleLock.acquire(), on the lock object `wakeup`. nullopt: it is not there (any more),
// or not on that lock.
[[nodiscard]] std::optional<ImportLock> import_lock(const Interpreter::View &python, std::uint64_t thread_state,
                                                    std::uint64_t wakeup);

// The innermost frame of a thread that waits in threading.Thread.join().
[[nodiscard]] bool is_thread_join(const SourceFrame &frame);
// pthread_self() of the thread whose end this one waits for, asleep in threading.Thread.join(). nullopt: it does not (any more),
// or that could not be read.
[[nodiscard]] std::optional<std::uint64_t> joined_thread(const Interpreter::View &python, std::uint64_t thread_state);

// Of the queue that a thread waits for in queue.Queue.put(), or that of a class derived from it. nullopt: it is not there (any
// more), the queue is not full (any more), or it could not be read.
[[nodiscard]] std::optional<QueueFill> full_queue(const Interpreter::View &python, std::uint64_t thread_state);

} // namespace loopsnoop::runtimes::cpython

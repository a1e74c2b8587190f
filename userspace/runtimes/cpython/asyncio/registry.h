// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "runtimes/cpython/asyncio/layout.h"
#include "runtimes/cpython/object_reader.h"
#include "runtimes/cpython/page_cache.h"
#include "runtimes/cpython/walk.h"

namespace loopsnoop::runtimes::cpython::asyncio {

// A loop that runs in a thread at this moment, and the task whose step it makes, 0: none.
struct RunningLoop {
	ThreadState thread;
	std::uint64_t loop = 0;
	std::uint64_t task = 0;
};

// Where asyncio keeps its tasks (addresses of objects that are tasks, once each, ended ones included) and loops.
struct Registry {
	std::vector<std::uint64_t> tasks; // 65,536 at most
	std::vector<RunningLoop> loops;
	bool imported = false;  // asyncio is in sys.modules of some interpreter
	bool overtaken = false; // a list changed while it was read
	bool unknown = false;   // 3.14 or later without its debug section: only what is listed in Python's own containers is here
	std::uint64_t left_out = 0;
};

// 3.9 to 3.11: the weak set asyncio.tasks._all_tasks; 3.12, 3.13: _scheduled_tasks and the set _eager_tasks; since 3.14 lists of
// every thread state and of the interpreter, and those containers for tasks that are not of the C type. What a list leads to is
// believed when it is a task and its own links lead back.
[[nodiscard]] Registry read_registry(ObjectReader &reader, const PageCache &cache, std::uint64_t runtime, std::uint8_t minor,
                                     const std::optional<DebugSection> &debug);

// The dictionaries {loop: task} of all interpreters up to 3.13, asyncio.tasks._current_tasks, which stay where they are: to find
// them all modules are gone through, with `cache` in some dozen questions. Empty: asyncio is not imported (yet).
[[nodiscard]] std::vector<std::uint64_t> find_current_tasks(ObjectReader &reader, const PageCache &cache, std::uint64_t runtime);

// The loops that run alone, without the tasks. `current_tasks`: of find_current_tasks(), where it is an older one than 3.14.
[[nodiscard]] Registry read_running(ObjectReader &reader, std::uint64_t runtime, std::uint8_t minor,
                                    const std::optional<DebugSection> &debug, std::span<const std::uint64_t> current_tasks);

// A task: of the C type or derived from it, or of asyncio's own class written in Python.
[[nodiscard]] bool is_c_task(ObjectReader &reader, std::uint64_t object);
[[nodiscard]] bool is_python_task(ObjectReader &reader, std::uint64_t object);

} // namespace loopsnoop::runtimes::cpython::asyncio

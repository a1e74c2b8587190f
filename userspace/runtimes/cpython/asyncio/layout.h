// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "process/procfs.h"
#include "runtimes/cpython/object_reader.h"
#include "runtimes/mapped_file.h"

namespace loopsnoop::runtimes::cpython::asyncio {

// Of a task that is read at once, ahead of its single fields: more than a TaskObj of any version has.
inline constexpr std::size_t task_bytes = 192;

// The section .AsyncioDebug of 3.14 and later (struct _Py_AsyncioModuleDebugOffsets, Modules/_asynciomodule.c), each a uint64_t:
// where tasks are listed. 0 at `address`: there is none.
struct DebugSection {
	std::uint64_t task_size = 0;
	std::uint64_t task_name = 0;
	std::uint64_t task_awaited_by = 0; // a task, a set of tasks, or NULL
	std::uint64_t task_is_task = 0;
	std::uint64_t task_awaited_by_is_set = 0;
	std::uint64_t task_coro = 0;
	std::uint64_t task_node = 0; // struct llist_node: next, prev
	std::uint64_t interpreter_size = 0;
	std::uint64_t interpreter_tasks_head = 0; // of PyInterpreterState: the tasks of threads that have ended
	std::uint64_t thread_size = 0;
	std::uint64_t thread_running_loop = 0; // of _PyThreadStateImpl
	std::uint64_t thread_running_task = 0;
	std::uint64_t thread_tasks_head = 0;
};

// nullopt: no such section in any file that is mapped (asyncio is not imported, or it is older than 3.14), or not with numbers
// that can be. It may be in _asyncio's library, in libpython or in the executable. Files in `without` are not read again.
[[nodiscard]] std::optional<DebugSection> find_debug_section(const process::ProcFs &proc, std::uint32_t pid,
                                                             const process::Memory &memory, FilesWithout &without);

// Members of _asyncio.Future and Task, Modules/_asynciomodule.c, bytes from the object's begin. The loop is at 16, the first
// callback at 24 and the list of the others at 40 in all versions.
struct FutureLayout {
	std::uint32_t loop = 16;
	std::uint32_t callback = 24;
	std::uint32_t callbacks = 40;
	std::uint32_t state = 0; // int: 0 pending, 1 cancelled, 2 finished
	std::uint32_t waiter = 0;
	std::uint32_t coro = 0;
	std::uint32_t name = 0;
	std::uint32_t awaited_by = 0; // 3.14 and later
};
// By the version, and for 3.9 to 3.12, where patch releases differ, by the type's dictionary offset: `task` is any _asyncio.Task.
// nullopt: another version.
[[nodiscard]] std::optional<FutureLayout> future_layout(std::uint8_t minor, ObjectReader &reader, std::uint64_t task,
                                                        const std::optional<DebugSection> &debug);

} // namespace loopsnoop::runtimes::cpython::asyncio

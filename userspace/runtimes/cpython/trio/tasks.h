// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "runtimes/cpython/asyncio/task.h"
#include "runtimes/cpython/code_cache.h"
#include "runtimes/cpython/object_reader.h"
#include "runtimes/cpython/page_cache.h"
#include "runtimes/cpython/walk.h"

namespace loopsnoop::runtimes::cpython::trio {

// Trio's loop of one thread: its Runner (trio/_core/_run.py, 0.13 to 0.34), which the functions `run` and `unrolled_run` have
// among their locals. Its members are read by name, wherever they lie.
struct Runner {
	ThreadState thread;
	std::uint64_t runner = 0;
	std::uint64_t ready = 0;                // steps that are due: `runq`
	std::vector<std::uint64_t> ready_tasks; // the first 4,096 of them
	std::vector<asyncio::RawTask> tasks;    // without Trio's own; `loop` is the runner, `waiter` 0
};
// `overtaken` turns true where a task began, moved or ended while the tasks were read.
[[nodiscard]] std::vector<Runner> read_runners(ObjectReader &reader, PageCache &cache, CodeCache &codes,
                                               std::span<const ThreadState> threads, bool &overtaken);

[[nodiscard]] bool is_trio_task(ObjectReader &reader, std::uint64_t object);

} // namespace loopsnoop::runtimes::cpython::trio

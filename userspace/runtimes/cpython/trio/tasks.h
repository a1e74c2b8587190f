// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
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
	// What its clock is ahead of CLOCK_MONOTONIC, in seconds (SystemClock.offset); unset: it is another clock.
	std::optional<double> clock_offset;
};
// `overtaken` turns true where a task began, moved or ended while the tasks were read. `known`: runners by PyThreadState, as of
// an earlier time and now: the frames of a thread that goes on meanwhile do not always lead to its own.
using KnownRunners = std::map<std::uint64_t, std::uint64_t>;
[[nodiscard]] std::vector<Runner> read_runners(ObjectReader &reader, PageCache &cache, CodeCache &codes,
                                               std::span<const ThreadState> threads, KnownRunners &known, bool &overtaken);

[[nodiscard]] bool is_trio_task(ObjectReader &reader, std::uint64_t object);

// When what a task waits for is cancelled, by its runner's clock: the earliest deadline of the cancel scopes that it is in
// (CancelStatus.effective_deadline; trio.sleep(), move_on_after() and fail_after() are such scopes). nullopt: never, it is
// cancelled already, or that is not known.
[[nodiscard]] std::optional<double> deadline_of(ObjectReader &reader, std::uint64_t task);

// The task that a thread runs at this moment: the one that `run` has as its local, while its coroutine is among the frames that
// `run` calls. Without its chain. nullopt: none, Trio's own, or not known.
[[nodiscard]] std::optional<asyncio::RawTask> running_task(ObjectReader &reader, const process::Memory &memory, CodeCache &codes,
                                                           const ThreadState &thread);

} // namespace loopsnoop::runtimes::cpython::trio

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "runtimes/cpython/asyncio/task.h"
#include "runtimes/cpython/object_reader.h"

namespace loopsnoop::runtimes::cpython::asyncio {

// What a loop has yet to do: asyncio.BaseEventLoop._ready and _scheduled (Lib/asyncio/base_events.py), whose items are Handles
// and TimerHandles (events.py). uvloop's Loop is a struct of Cython, whose _ready is the one deque among its members, and so are
// its handles; its timers cannot be read.
struct LoopState {
	struct Callback {
		std::uint64_t task = 0; // whose step or wake-up it is; 0: none
		std::uint64_t code = 0; // of the function, where that is written in Python
	};
	std::optional<std::uint64_t> ready; // how many; unset: could not be read
	std::vector<Callback> callbacks;    // the first 4,096 of them
	std::optional<std::uint64_t> timers;
	std::optional<double> next_timer; // in seconds of CLOCK_MONOTONIC, as loop.time() has it
	// When a wait ends by itself: by the future that a timer sets (asyncio.sleep, and wait_for up to 3.11), or by the task that a
	// timer cancels (asyncio.timeout, and wait_for since 3.12).
	std::unordered_map<std::uint64_t, double> ends_by_future;
	std::unordered_map<std::uint64_t, double> ends_by_task;
};
[[nodiscard]] LoopState read_loop_state(ObjectReader &reader, const PageCache &cache, Futures &futures, std::uint64_t loop);

// The callbacks that are queued now, by the addresses of their handles, cancelled ones included, the first `most`: of the
// iteration that runs, those that it has not come to yet, and behind them what is added for the next one. nullopt: could not be
// read.
[[nodiscard]] std::optional<std::vector<std::uint64_t>> queued_callbacks(ObjectReader &reader, std::uint64_t loop);

// What a loop written in Python calls when a descriptor is ready: the code objects of what add_reader() and add_writer() were
// given, where those are functions or methods written in Python. By its selector's _fd_to_key (Lib/selectors.py), whose
// SelectorKey has the two Handles in its `data` (Lib/asyncio/selector_events.py). Empty: nothing, or a loop of uvloop.
[[nodiscard]] std::vector<std::uint64_t> codes_called_for(ObjectReader &reader, std::uint64_t loop, int fd);

} // namespace loopsnoop::runtimes::cpython::asyncio

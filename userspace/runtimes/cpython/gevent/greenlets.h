// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "runtimes/cpython/asyncio/task.h"
#include "runtimes/cpython/code_cache.h"
#include "runtimes/cpython/object_reader.h"
#include "runtimes/cpython/page_cache.h"
#include "runtimes/cpython/walk.h"

namespace loopsnoop::runtimes::cpython::gevent {

// A hub of gevent (gevent/hub.py), which is the loop of one thread, with the greenlets that it switches to.
struct Hub {
	std::uint64_t address = 0;
	std::optional<ThreadState> thread; // that runs it; unset: could not be told
	// Those that are suspended, by their frames: `loop` is the hub, `coroutine` the function that it was made of, `waiter` 0. The
	// thread's main greenlet is named "main". What has not begun has no frames and is not here.
	std::vector<asyncio::RawTask> tasks;
	std::optional<asyncio::RawTask> running; // without its chain: its frames are the thread's; unset: none does, or not known
};

struct Hubs {
	std::vector<Hub> hubs;
	bool overtaken = false; // objects were made or freed while they were walked: some may be missing
};

// Greenlets are listed nowhere but among all objects that the garbage collector knows (its lists of generations), so that all of
// these are walked: 10 to 100 ms for some hundred thousand, 1 s at most. Only where gevent is imported. Where a suspended
// greenlet's frames begin is looked for in its C++ part (greenlet's TGreenlet.hpp, 1.0 to 3.x): the first pointer to an object of
// type `frame`.
[[nodiscard]] bool is_imported(ObjectReader &reader, std::uint64_t runtime);
[[nodiscard]] Hubs read_hubs(const process::Memory &memory, CodeCache &codes, const Offsets &offsets, std::uint64_t runtime);

// The greenlet that a hub of gevent's has switched to in a thread, without its chain, by what find_greenlet_state() has found.
// nullopt: the hub itself runs, or another library's greenlet, or that is not known.
[[nodiscard]] std::optional<asyncio::RawTask> running_greenlet(ObjectReader &reader, const process::Memory &memory,
                                                               CodeCache &codes, std::uint64_t state, const ThreadState &thread);

} // namespace loopsnoop::runtimes::cpython::gevent

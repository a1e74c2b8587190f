// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "model/stack.h"
#include "model/tasks.h"
#include "runtimes/cpython/asyncio/loop_state.h"
#include "runtimes/cpython/asyncio/task.h"
#include "runtimes/cpython/asyncio/workers.h"
#include "runtimes/cpython/object_reader.h"

namespace loopsnoop::runtimes::cpython::asyncio {

// From now until then, a moment in seconds of CLOCK_MONOTONIC.
[[nodiscard]] std::int64_t ends_in(double when, std::uint64_t now_ns);

// What a task waits for, by where it stands: the innermost frames are those of asyncio, or of a library, and `self` is their
// first local. Not guessed: where nothing is recognised it is a future of nobody known. `frames`: of the chain's links, in their
// order.
class WaitReader {
public:
	WaitReader(ObjectReader &reader, Futures &futures, Workers &workers)
	    : reader_(reader), futures_(futures), workers_(workers) {}

	// The same of a framework whose tasks await no futures: `known` to wait for nothing that is due. nullopt: not recognised.
	[[nodiscard]] std::optional<WaitsFor> by_place(const RawTask &task, std::span<const SourceFrame> frames) {
		return by_frames(task, frames);
	}
	// Of a task that awaits another one in which its call goes on (wait_for(), up to 3.11): what it is that waits for what
	// `inner` waits for, where that is a pool. nullopt: it is none.
	[[nodiscard]] std::optional<WaitsFor> pool_around(const RawTask &task, std::span<const SourceFrame> frames,
	                                                  const WaitsFor &inner);
	// nullopt: it runs, or its chain is not known.
	[[nodiscard]] std::optional<WaitsFor> read(const RawTask &task, std::span<const SourceFrame> frames, const LoopState &loop,
	                                           std::uint64_t now_ns);

private:
	// `found`: what is known already to be waited for further in.
	[[nodiscard]] std::optional<WaitsFor> by_frames(const RawTask &task, std::span<const SourceFrame> frames,
	                                                std::optional<WaitsFor> found = {});
	// Of a connection, a statement or a cursor of a client library; 0: not known.
	[[nodiscard]] std::uint64_t transport_of(std::uint64_t object);
	[[nodiscard]] WaitsFor by_future(std::uint64_t waiter);
	// Of a loop whose timers cannot be read (uvloop's are written in C): when it ends at the latest, by the block of a time-out
	// (asyncio's, async_timeout's, a scope of anyio's) or by what asyncio.wait_for() was given.
	[[nodiscard]] std::optional<std::int64_t> ends_by_frames(const RawTask &task, std::span<const SourceFrame> frames,
	                                                         std::uint64_t now_ns);
	void executor_call(std::uint64_t waiter, WaitsFor &wait);
	void add_worker(const Worker &worker, WaitsFor &wait);
	void add_waiters(WaitsFor &wait);
	[[nodiscard]] std::vector<TaskId> tasks_among(std::uint64_t container);
	[[nodiscard]] std::uint64_t either(std::uint64_t object, std::string_view name,
	                                   std::string_view other); // attribute; 0: neither
	void set_socket(WaitsFor &wait, std::uint64_t transport);

	ObjectReader &reader_;
	Futures &futures_;
	Workers &workers_;
};

// The objects that a task is inside `async with` of, innermost frame first: what is to leave them lies on its frames' stacks.
[[nodiscard]] std::vector<std::uint64_t> with_objects(ObjectReader &reader, const AwaitChain &chain);
// The objects whose methods a task is in, of a library: the first argument of each such frame. Without what gives back or closes.
[[nodiscard]] std::vector<std::uint64_t> library_objects(ObjectReader &reader, const AwaitChain &chain,
                                                         std::span<const SourceFrame> frames);
// Whether being inside `async with` of `object` means to have (a part of) what `wait` is for.
[[nodiscard]] bool stands_for(ObjectReader &reader, std::uint64_t object, const WaitsFor &wait);
// Whether being in a method of `object` means to have a part of that pool.
[[nodiscard]] bool uses_pool(ObjectReader &reader, std::uint64_t object, std::uint64_t pool);

} // namespace loopsnoop::runtimes::cpython::asyncio

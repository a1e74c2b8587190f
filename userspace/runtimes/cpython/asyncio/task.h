// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtimes/cpython/asyncio/layout.h"
#include "runtimes/cpython/await_chain.h"
#include "runtimes/cpython/object_reader.h"
#include "runtimes/cpython/page_cache.h"

namespace loopsnoop::runtimes::cpython::asyncio {

// A task of asyncio as it lies in memory.
struct RawTask {
	std::uint64_t address = 0;
	std::uint64_t loop = 0;
	std::uint64_t coro = 0;
	std::uint64_t waiter = 0; // the future it awaits; 0: none
	std::string name;         // "?" when it could not be read
	std::string coroutine;    // qualified name of the outermost coroutine; empty: not known
	bool pending = false;     // neither finished nor cancelled
	AwaitChain chain;
	bool changed = false; // it moved each time it was read: neither chain nor names
};

// Qualified name of a coroutine or generator; empty: none.
[[nodiscard]] std::string coroutine_name(ObjectReader &reader, std::uint64_t coroutine);

enum class FutureState : std::uint8_t { pending, cancelled, finished, unknown };

// Futures and tasks, of C and of Python.
class Futures {
public:
	Futures(ObjectReader &reader, const std::optional<FutureLayout> &layout) : reader_(reader), layout_(layout) {}

	[[nodiscard]] bool is_future(std::uint64_t object);
	[[nodiscard]] FutureState state(std::uint64_t future);
	// The functions that are called once it is done, the first 64; of a task that awaits it its wake-up.
	[[nodiscard]] std::vector<std::uint64_t> callbacks(std::uint64_t future);
	// The task that a callback or a loop's handle steps or wakes up, 0: none.
	[[nodiscard]] std::uint64_t task_of(std::uint64_t callable);
	[[nodiscard]] std::optional<RawTask> head(std::uint64_t task); // without its chain

private:
	[[nodiscard]] bool is_c(std::uint64_t object);

	ObjectReader &reader_;
	const std::optional<FutureLayout> &layout_;
};

// Those that have not ended. Each is read again afterwards, and anew where it has moved meanwhile, up to three times. `overtaken`
// turns true where one of them ended meanwhile, or moved each time.
[[nodiscard]] std::vector<RawTask> read_tasks(ObjectReader &reader, PageCache &cache, const std::optional<FutureLayout> &layout,
                                              std::span<const std::uint64_t> tasks, bool &overtaken);

} // namespace loopsnoop::runtimes::cpython::asyncio

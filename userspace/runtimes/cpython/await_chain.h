// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/capture.h"
#include "runtimes/cpython/object_reader.h"
#include "runtimes/cpython/page_cache.h"

namespace loopsnoop::runtimes::cpython {

// One suspended coroutine, generator or asynchronous generator of a chain.
struct ChainLink {
	std::uint64_t object = 0; // the coroutine …
	std::uint64_t frame = 0;  // address of its PyFrameObject or _PyInterpreterFrame
	PythonFrameRef at;
	std::uint64_t awaited = 0;        // what it awaits: the next link, or the end of the chain; 0: nothing
	std::vector<std::uint64_t> words; // its locals, then its stack up to the top, tag bits cleared; 64 at most
	std::uint32_t locals = 0;         // how many of `words` are locals, cells and free variables
	bool operator==(const ChainLink &) const = default;

	[[nodiscard]] std::uint64_t first_local() const { return locals > 0 && !words.empty() ? words.front() : 0; }
};

// What a task's coroutine awaits, and what that awaits, to the end.
struct AwaitChain {
	enum class State : std::uint8_t {
		suspended, // in its innermost link
		created,   // not begun
		running,   // a thread executes it: its frames are that thread's
		ended,     // it has returned
		unknown,   // could not be read, or is no coroutine that is known
	};
	State state = State::unknown;
	std::vector<ChainLink> links; // outermost first, 64 at most
	std::uint64_t end = 0;        // what is awaited and is no coroutine: a future, an iterator of another kind; 0: nothing
	bool operator==(const AwaitChain &) const = default;
};

// Object layouts: PyGenObject of Include/cpython/genobject.h (3.9: genobject.h) and its frame; what a link awaits lies on top of
// its frame's stack. Generators and asynchronous generators that are suspended in a yield of their own await nothing.
[[nodiscard]] AwaitChain read_chain(ObjectReader &reader, std::uint64_t coroutine);

// The same for many: each level of all chains in few reads.
[[nodiscard]] std::vector<AwaitChain> read_chains(ObjectReader &reader, const PageCache &cache,
                                                  std::span<const std::uint64_t> coroutines);

} // namespace loopsnoop::runtimes::cpython

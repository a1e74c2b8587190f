// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "model/stack.h"
#include "model/tasks.h"
#include "runtimes/cpython/code_cache.h"
#include "runtimes/cpython/object_reader.h"
#include "runtimes/cpython/page_cache.h"
#include "runtimes/cpython/walk.h"

namespace loopsnoop::runtimes::cpython::asyncio {

// A thread of the process that makes a call for somebody who waits for it.
struct Worker {
	ThreadState state;
	std::uint32_t tid = 0;
	std::string thread;
	// By these the task is known that waits for the call: its future (of an executor), locals of which one is it (anyio), cells
	// that the function in the thread shares with the one that waits (Trio).
	std::vector<std::uint64_t> words;
	std::uint64_t executor = 0;     // the ThreadPoolExecutor; 0: it is none's, or not known
	std::vector<SourceFrame> stack; // of the call, innermost first
};

// The threads that make calls at one moment, and the executors that they belong to.
class Workers {
public:
	Workers() = default;
	explicit Workers(std::vector<Worker> workers) : workers_(std::move(workers)) {}

	// Of a snapshot: concurrent.futures' (_worker and _WorkItem.run of Lib/concurrent/futures/thread.py), anyio's
	// (WorkerThread.run of its _backends/_asyncio.py) and Trio's (worker_fn of trio/_threads.py). Of a thread that has gone on to
	// another call while it was read nothing is kept. Neither `tid` nor `thread` is set.
	void read(ObjectReader &reader, const PageCache &cache, CodeCache &codes, std::span<const ThreadState> threads);
	[[nodiscard]] std::vector<Worker> &all() { return workers_; }

	// Who makes the call; nullptr: nobody.
	[[nodiscard]] const Worker *making(std::uint64_t word) const;
	// The executor of a worker. nullopt: not one of concurrent.futures, or what it says of itself cannot be.
	[[nodiscard]] std::optional<Executor> executor(ObjectReader &reader, std::uint64_t address);
	// In whose queue the call lies that sets this future; 0: not known, or in that of an executor none of whose threads is busy.
	[[nodiscard]] std::uint64_t queued_in(ObjectReader &reader, std::uint64_t future);

private:
	void read_queues(ObjectReader &reader);

	std::vector<Worker> workers_;
	std::map<std::uint64_t, std::optional<Executor>> executors_;
	bool queues_read_ = false;
	std::unordered_map<std::uint64_t, std::uint64_t> queued_; // future to executor
};

} // namespace loopsnoop::runtimes::cpython::asyncio

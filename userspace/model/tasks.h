// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "model/process_name.h"
#include "model/resource.h"
#include "model/special_members.h"
#include "model/stack.h"

namespace loopsnoop {

// What asynchronous frameworks schedule, as it was at one moment, read from the memory of a process that ran on meanwhile. A task
// is named by the address of its object: unique among those of one snapshot, and used again by others later on.
using TaskId = std::uint64_t;

enum class WaitsForKind : std::uint8_t {
	task,      // the end of another task
	tasks,     // the end of several: gather, wait, a task group
	lock,      // asyncio.Lock, trio.Lock …
	event,     // asyncio.Event …: that it is set
	condition, // a notification, not its lock
	semaphore, //
	queue_get, // something in a queue
	queue_put, // room in a queue
	pool,      // a connection of a pool
	sleep,     // nothing but a moment
	socket,    // a descriptor: readable, writable, connected
	executor,  // a call that a worker thread makes, or will make
	process,   // a child's end
	ready,     // nothing any more: its next step is due
	future,    // a future that nobody known will set
};
[[nodiscard]] constexpr std::string_view name_of(WaitsForKind kind) {
	switch (kind) {
	case WaitsForKind::task: return "task";
	case WaitsForKind::tasks: return "tasks";
	case WaitsForKind::lock: return "lock";
	case WaitsForKind::event: return "event";
	case WaitsForKind::condition: return "condition";
	case WaitsForKind::semaphore: return "semaphore";
	case WaitsForKind::queue_get: return "queue_get";
	case WaitsForKind::queue_put: return "queue_put";
	case WaitsForKind::pool: return "pool";
	case WaitsForKind::sleep: return "sleep";
	case WaitsForKind::socket: return "socket";
	case WaitsForKind::executor: return "executor";
	case WaitsForKind::process: return "process";
	case WaitsForKind::ready: return "ready";
	case WaitsForKind::future: break;
	}
	return "future";
}

// A task that probably has what others wait for: it stands inside `async with` on it. Always inferred: asyncio's locks have no
// owner.
struct TaskHolder {
	TaskId task = 0;
	std::string name;
	std::optional<SourceFrame> culprit; // where it stands meanwhile
};

inline constexpr std::size_t max_holders = 16; // kept of one wait

// Threads of an executor that stand at the same place.
struct WorkersAt {
	std::uint64_t count = 0;
	std::optional<SourceFrame> culprit; // the innermost frame of the application's own code, or else of all
	std::vector<std::uint32_t> tids;    // 16 at most
};

// A pool of threads (concurrent.futures.ThreadPoolExecutor) and what those of its threads do that make a call.
struct Executor {
	std::uint64_t size = 0; // threads that it may have
	std::uint64_t busy = 0;
	std::uint64_t queued = 0;      // calls that no thread has begun
	std::vector<WorkersAt> places; // most first, 4 at most
};

struct WaitsFor {
	LOOPSNOOP_SPECIAL_MEMBERS(WaitsFor);

	WaitsForKind kind = WaitsForKind::future;
	std::uint64_t address = 0;            // of the object that is waited for, 0: not known. Tasks that share it wait for the same
	std::string type;                     // "asyncio.Lock", "asyncpg's pool"; empty: not known
	std::optional<std::uint64_t> waiters; // how many wait for that object, this one included
	std::optional<std::int64_t> ends_in_ns; // a sleep, or a time-out around the wait (its whole length where no more is known);
	                                        // below 0: overdue; unset: none is known
	std::optional<Resource> resource;       // of a socket, or of a child process
	std::optional<std::uint32_t> tid;       // the worker that runs an executor's call
	std::string thread;                     // its name
	std::optional<Stack> thread_stack;      // what it does: the frames of that call alone
	bool queued = false;                    // no worker has begun the executor's call
	std::optional<Executor> executor;       // that has to make it; unset: it could not be told
	std::vector<TaskId> tasks;              // kinds task and tasks; those that have ended are left out
	std::vector<TaskHolder> holders;        // max_holders at most
};

enum class TaskState : std::uint8_t { pending, ready, running };
[[nodiscard]] constexpr std::string_view name_of(TaskState state) {
	switch (state) {
	case TaskState::ready: return "ready";     // its next step is queued
	case TaskState::running: return "running"; // its step is being made
	case TaskState::pending: break;
	}
	return "pending";
}

struct Task {
	LOOPSNOOP_SPECIAL_MEMBERS(Task);

	TaskId id = 0;
	std::string name;      // "?" when it could not be read
	std::string coroutine; // qualified name of the outermost coroutine; empty: not known
	TaskState state = TaskState::pending;
	std::vector<SourceFrame> stack;     // the await chain, innermost first, 64 frames at most; empty: not known
	std::optional<SourceFrame> culprit; // the innermost frame of the application's own code
	std::optional<WaitsFor> waits_for;  // unset: not known, or it runs
	std::vector<TaskId> awaited_by;     // tasks of this snapshot
	bool changed = false;               // it moved while it was read: what is said of it may be of two moments
};

// What a loop will call next.
struct ReadyCallback {
	std::optional<SourceFrame> callback; // unset: written in C, or not known; of a task's step where the task stands
	std::optional<TaskId> task;          // whose step it is
};

// One event loop with its tasks.
struct TaskLoop {
	LOOPSNOOP_SPECIAL_MEMBERS(TaskLoop);

	std::uint32_t tid = 0;     // in our PID namespace; 0: the loop runs in no thread at the moment, or that is not known
	std::string framework;     // "asyncio" "trio" "gevent"
	std::string type;          // of the loop object: "_UnixSelectorEventLoop", "uvloop.Loop"; empty: not known
	std::uint64_t address = 0; // of the loop object
	std::optional<TaskId> running;
	std::optional<std::uint64_t> ready;           // callbacks that are queued; unset: could not be read
	std::vector<ReadyCallback> callbacks;         // the first 16 of them
	std::optional<std::uint64_t> timers;          // that are not cancelled
	std::optional<std::int64_t> next_timer_in_ns; // of the earliest of those; below 0: overdue
	std::vector<Task> tasks;
};

// Tasks that wait_for() has made of a pool's own call (CPython up to 3.11): who awaits them waits for the pool, and stands for
// them.
[[nodiscard]] std::set<TaskId> parts_of_pool_waits(const TaskLoop &loop);

// A snapshot of all tasks of a process.
struct TaskSnapshot {
	LOOPSNOOP_SPECIAL_MEMBERS(TaskSnapshot);

	std::uint32_t pid = 0;
	std::string comm;
	ProcessName name;
	std::uint64_t start_ns = 0;     // CLOCK_MONOTONIC
	std::string started_at;         // RFC 3339
	std::uint64_t look_ns = 0;      // how long it took: what is said of two tasks is up to that far apart
	bool overtaken = false;         // tasks began or ended while they were listed, and again in each new try: some may be missing
	std::uint64_t left_out = 0;     // tasks beyond the bounds of a snapshot
	std::vector<TaskLoop> loops;    // those with tasks or in a thread, main thread's first
	std::vector<std::string> notes; // what could not be read, a sentence each
};

} // namespace loopsnoop

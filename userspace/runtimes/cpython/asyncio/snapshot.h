// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "model/tasks.h"
#include "process/procfs.h"
#include "runtimes/cpython/asyncio/layout.h"
#include "runtimes/cpython/interpreter.h"
#include "runtimes/cpython/trio/tasks.h"
#include "runtimes/mapped_file.h"

namespace loopsnoop::runtimes::cpython::asyncio {

// Whether gevent's greenlets are looked for, too: that takes a walk over all objects of the process.
enum class Greenlets : std::uint8_t { too, no };

// Reads the asyncio tasks of one process from its memory while it runs. Keeps where they are listed, which takes longest to find.
// One thread; for the process as it was when `python` was found.
class TaskReader {
public:
	TaskReader(process::ProcFs proc, std::uint32_t pid) : proc_(std::move(proc)), pid_(pid) {}

	// Adds the loops with their tasks to `into`, its notes, and whether it was overtaken. Descriptors are in the resources of
	// what tasks wait for by number only. About 0.1 s for 10,000 tasks; 10 s at most, whatever the memory holds.
	// `max_waits`: of how many tasks it is read what they wait for, which takes most of the time; of the others where they
	// stand.
	void read(Interpreter &python, TaskSnapshot &into, Greenlets greenlets = Greenlets::no,
	          std::size_t max_waits = ~std::size_t{0});

	// What the loop of a thread is at, at this moment: a loop of asyncio, Trio or gevent.
	struct Running {
		TaskId id = 0;
		std::string name;
		std::string coroutine;
		bool operator==(const Running &) const = default;
	};
	struct Step {
		std::optional<Running> task;                                // that it makes a step of; unset: none, or not known
		std::optional<std::vector<std::uint64_t>> queued_callbacks; // see loop_state.h
	};
	[[nodiscard]] Step step(Interpreter &python, std::uint32_t tid);
	// Where what a loop (TaskLoop.address) calls when a descriptor is ready begins. nullopt: that is no function of the
	// application's, or not known.
	[[nodiscard]] static std::optional<SourceFrame> called_for(Interpreter &python, std::uint64_t loop, int fd);

private:
	void find_lists(Interpreter &python);
	[[nodiscard]] std::optional<Step> step_of_asyncio(Interpreter::View &view, const ThreadState &thread);
	[[nodiscard]] static std::optional<Running> task_of_trio(Interpreter::View &view, const ThreadState &thread);
	[[nodiscard]] std::optional<Running> task_of_gevent(Interpreter::View &view, const ThreadState &thread);

	process::ProcFs proc_;
	std::uint32_t pid_;
	std::optional<DebugSection> debug_;
	std::vector<std::uint64_t> current_tasks_; // asyncio.tasks._current_tasks, where it was found
	FilesWithout without_debug_;
	trio::KnownRunners trio_runners_;
	struct GreenletState {
		std::uint64_t address = 0; // see gevent/current.h
		std::uint64_t next_try_ns = 0;
	};
	std::map<std::uint64_t, GreenletState> greenlet_states_; // by PyThreadState
};

} // namespace loopsnoop::runtimes::cpython::asyncio

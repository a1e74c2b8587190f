// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "base/result.h"
#include "inspect/programs.h"
#include "inspect/python_samples.h"
#include "model/tasks.h"
#include "process/peer_finder.h"
#include "process/procfs.h"
#include "runtimes/cpython/asyncio/snapshot.h"
#include "runtimes/cpython/interpreter.h"

namespace loopsnoop::inspect {

// Snapshots of the tasks of processes, with the names of the sockets and child processes that they wait for. Keeps of each
// process where its tasks are listed. One thread.
class TaskInspector {
public:
	TaskInspector(process::ProcFs proc, Programs &programs) : proc_(proc), programs_(programs), peers_(std::move(proc)) {}

	enum class Care : std::uint8_t {
		everything, // sockets and child processes that tasks wait for by name, which takes up to half a second more
		places,     // where each stands; what it waits for of the first thousand only, sockets by their number
	};
	// Of a process whose interpreter was found; it runs on meanwhile. Without any loop where it uses no asyncio.
	[[nodiscard]] TaskSnapshot snapshot(std::uint32_t pid, runtimes::cpython::Interpreter &python,
	                                    runtimes::cpython::asyncio::Greenlets greenlets, Care care = Care::everything);
	// Of a thread that is not asleep (`runs`) whether the garbage collector is at work, some 0.1 ms; and the task that it runs,
	// some milliseconds. The sample's time is not set.
	struct Wanted {
		bool runs = false;
		bool task = false;
	};
	[[nodiscard]] PythonSample sample(std::uint32_t pid, std::uint32_t tid, runtimes::cpython::Interpreter &python,
	                                  Wanted wanted);
	// What a loop of a snapshot calls when a descriptor is ready: TaskReader::called_for.
	[[nodiscard]] static std::optional<SourceFrame> called_for(runtimes::cpython::Interpreter &python, std::uint64_t loop,
	                                                           int fd) {
		return runtimes::cpython::asyncio::TaskReader::called_for(python, loop, fd);
	}
	// After an exec, or when the process is gone.
	void forget(std::uint32_t pid) { readers_.erase(pid); }

private:
	[[nodiscard]] runtimes::cpython::asyncio::TaskReader &reader(std::uint32_t pid);
	void name_resources(TaskSnapshot &snapshot);
	[[nodiscard]] std::optional<Resource> descriptor(std::uint32_t pid, int fd);

	process::ProcFs proc_;
	Programs &programs_;
	process::PeerFinder peers_;
	std::map<std::uint32_t, runtimes::cpython::asyncio::TaskReader> readers_;
};

// `loopsnoop tasks`: one snapshot of a process, whatever it is doing; nothing is attached to it, and it is not stopped. The Error
// is one line for a person.
[[nodiscard]] Result<TaskSnapshot> read_tasks_of(std::uint32_t pid);

} // namespace loopsnoop::inspect

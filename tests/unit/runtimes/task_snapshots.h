// SPDX-License-Identifier: Apache-2.0
// Snapshots of the tasks of real processes.
#pragma once

#include <cstdint>
#include <string>

#include "catch.h"
#include "model/tasks.h"
#include "process/procfs.h"
#include "runtimes/cpython/asyncio/snapshot.h"
#include "runtimes/cpython/interpreter.h"

namespace loopsnoop::test {

inline TaskSnapshot snapshot_of(std::uint32_t pid,
                                runtimes::cpython::asyncio::Greenlets greenlets = runtimes::cpython::asyncio::Greenlets::no) {
	const process::ProcFs proc;
	auto interpreter = runtimes::cpython::Interpreter::find(proc, pid);
	REQUIRE(interpreter);
	runtimes::cpython::asyncio::TaskReader reader(proc, pid);
	TaskSnapshot snapshot;
	reader.read(*interpreter, snapshot, greenlets);
	return snapshot;
}

inline const Task *find_task(const TaskSnapshot &snapshot, const std::string &name) {
	for (const TaskLoop &loop : snapshot.loops) {
		for (const Task &task : loop.tasks) {
			if (task.name == name) {
				return &task;
			}
		}
	}
	return nullptr;
}

} // namespace loopsnoop::test

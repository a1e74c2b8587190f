// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "model/tasks.h"
#include "runtimes/cpython/asyncio/task.h"
#include "runtimes/cpython/asyncio/waits.h"
#include "runtimes/cpython/object_reader.h"

namespace loopsnoop::runtimes::cpython::asyncio {

// What the tasks of one loop are to each other, once each was read: which are ready to run, who awaits whom, and which are inside
// the block of a lock, a semaphore or a pool that others wait for (its probable holders, inferred). `raw`: the loop's tasks in
// the order of loop.tasks, others between them.
void join_tasks(ObjectReader &reader, WaitReader &waits, TaskLoop &loop, const std::vector<RawTask> &raw);

} // namespace loopsnoop::runtimes::cpython::asyncio

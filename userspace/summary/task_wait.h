// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "model/stall.h"
#include "model/tasks.h"

namespace loopsnoop::summary {

// What a task of an asynchronous framework waits for.

// In a sentence, after "waits for": "an asyncio.Lock", "asyncpg's pool", "an answer from 10.1.2.3:443". Names stand as the target
// has them: whoever prints them makes them printable.
[[nodiscard]] std::string format_waits_for(const WaitsFor &what);

// "all 5 workers of the executor are in recvfrom() on 10.1.2.3:443 at fetch (/srv/jobs.py:12)", where none of them is free; empty
// otherwise. `threads`: of the process, where they are known. Names as above.
[[nodiscard]] std::string format_executor(const Executor &executor, std::span<const ThreadView> threads, bool over = false);

// In a list, beside the task: "waits for asyncio.Lock, as 3 others do; probably held by export (/srv/jobs.py:88)". Printable.
[[nodiscard]] std::string format_task_wait(const WaitsFor &what);

} // namespace loopsnoop::summary

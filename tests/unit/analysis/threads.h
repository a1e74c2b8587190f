// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "model/stall.h"

namespace loopsnoop::analysis_test {

inline ThreadView idle(std::uint32_t tid, std::string name) {
	ThreadView thread;
	thread.tid = tid;
	thread.thread = std::move(name);
	thread.cause = Cause::other;
	return thread;
}

// Waits for a mutex that the thread `holder` has.
inline ThreadView waits_for(std::uint32_t tid, std::string name, std::uint32_t holder, bool inferred = false) {
	ThreadView thread = idle(tid, std::move(name));
	thread.cause = Cause::futex;
	thread.syscall = "futex";
	FutexResource futex;
	futex.address = 0x1000 + holder;
	futex.lock = LockKind::pthread_mutex;
	futex.holder = Holder{holder, "t" + std::to_string(holder), inferred};
	thread.resource = Resource{futex};
	return thread;
}

inline ThreadView at(ThreadView thread, std::string file, int line) {
	thread.stack.emplace();
	thread.stack->python = {{"f", std::move(file), line}};
	return thread;
}

} // namespace loopsnoop::analysis_test

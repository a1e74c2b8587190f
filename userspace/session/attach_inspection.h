// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "inspect/inspector.h"
#include "session/context.h"
#include "session/loop_registry.h"
#include "session/process_facts.h"
#include "session/processes.h"

namespace loopsnoop::session {

// Which threads of a process that runs already are loops, although the kernel side has not seen any of them come to a poll call:
// read from their stacks and from what they wait for, as a debugger would on attaching. One thread. For each process first
// `probe_sleeping_poll` (short), later `inspect` (reads the stacks of up to 256 threads); `decide_pending` at each tick.
class AttachInspection {
public:
	AttachInspection(const Context &context, LoopRegistry &loops, Processes &processes, ProcessFacts &facts,
	                 inspect::Inspector &inspector)
	    : context_(context), loops_(loops), processes_(processes), facts_(facts), inspector_(inspector) {}

	// After the collector began to follow the process, before anything that takes long: takes a poll() that a thread is asleep in
	// at this moment, and that only a loop would make, for its loop's own.
	void probe_sleeping_poll(std::uint32_t pid);
	// Threads that are asleep in the epoll call of a callback, not in their loop's: puts that right before they are reported.
	void correct_private_polls(std::uint32_t pid);
	// What all of its threads are doing.
	void inspect(std::uint32_t pid);
	// Which of the pending loops are the application's, by their stacks; one that has not slept for --hang-after is. `now_ns` ~0:
	// all are decided, because there is no later time.
	void decide_pending(std::uint64_t now_ns);
	// A thread that computes has no stack to be read: its samples show whether it does so inside of a loop.
	[[nodiscard]] bool computes_in_callback(Loop &loop, const LoopState &state);

private:
	[[nodiscard]] std::vector<ThreadSnapshot> main_thread_first(std::uint32_t pid);
	void decide_pending_of(std::uint32_t pid, std::uint64_t now_ns);
	void take_frozen(const ThreadSnapshot &snapshot, Process &process);
	void inspect_new_thread(ThreadSnapshot &snapshot, Process &process);
	void inspect_starting(Loop &loop, ThreadSnapshot &snapshot);
	[[nodiscard]] bool has_better_loop(ThreadSnapshot &snapshot);
	[[nodiscard]] bool is_in_call_of_go(const ThreadSnapshot &snapshot);
	[[nodiscard]] bool in_callback_of_asyncio(ThreadSnapshot &snapshot);

	const Context &context_;
	LoopRegistry &loops_;
	Processes &processes_;
	ProcessFacts &facts_;
	inspect::Inspector &inspector_;
};

} // namespace loopsnoop::session

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "model/event.h"
#include "model/session.h"
#include "session/context.h"
#include "session/process_facts.h"

namespace loopsnoop::session {

// One process that is followed. It is named by its pid together with its start time: the pid alone may be another's by now.
struct Process {
	std::uint64_t start_ticks = 0;              // ProcessStatus::start_time_ticks; 0: it was gone before that could be read
	std::uint64_t since_ns = 0;                 // followed since
	bool found = false;                         // by discovery, one of perhaps hundreds
	bool has_loop = false;                      // a thread of it was seen in its own poll call, or in the middle of a loop
	bool weak_accepted = false;                 // FollowedProcesses::accept_weak_loops was called
	bool from_beginning = false;                // since before its program's first instruction
	std::map<std::uint32_t, int> private_polls; // by thread: an epoll descriptor that is a callback's, not its loop's
	bool missed = false;                        // was not there when it was last searched for
	std::set<std::uint32_t> frozen_loops;       // threads that were in the middle of a loop when they were first seen
};

// The processes of a session, and the one place that knows what a beginning, a fork, an exec, an end and the reuse of a pid mean:
// each of these is one function here, and all that is kept by pid (ProcessFacts, the loops by `before_end`) follows from it. The
// end of a process is handled exactly once, whether the kernel side reported it, or its record was lost, or another process was
// found under its pid. One thread; no more processes than the kernel side follows.
class Processes {
public:
	enum class Asked : std::uint8_t { by_name, found };

	Processes(const Context &context, ProcessFacts &facts) : context_(context), facts_(facts) {}

	// Called with the pid of a process that has ended unreported, before its end is recorded: its loops must go. Set once.
	void before_end(std::function<void(std::uint32_t)> remove_loops) { remove_loops_ = std::move(remove_loops); }

	// The process is about to be followed; `found`: by discovery.
	void expect(std::uint32_t pid, Asked asked);
	// Ended before it could be followed: it leaves no trace. Nothing is done if it is still there.
	void forget_unseen(std::uint32_t pid);
	// A loop of it appeared; it is followed since then if it was not yet.
	Process &appeared(std::uint32_t pid, std::uint64_t time_ns);
	void on(const Forked &event);
	void on(const Execed &event);
	// Does nothing unless it was the last thread, nor for the end of a process whose pid is another's by now.
	void on(const ThreadExited &event);
	// Processes whose end was not reported, because its record was lost, or whose pid is another's by now. Without this the
	// session would wait for them for ever. Checks a bounded number of processes each time.
	void find_lost_ends();

	[[nodiscard]] Process *find(std::uint32_t pid);
	[[nodiscard]] bool contains(std::uint32_t pid) const { return processes_.contains(pid); }
	[[nodiscard]] std::size_t size() const { return processes_.size(); }

private:
	void begin(std::uint32_t pid, Asked asked, std::uint64_t now_ns);
	// That of the pid; made if there is none. Its start time is read where it is not known.
	[[nodiscard]] Process &entry(std::uint32_t pid);
	void end_unheard(std::uint32_t pid);
	void end(const ProcessExit &exit);

	const Context &context_;
	ProcessFacts &facts_;
	std::function<void(std::uint32_t)> remove_loops_;
	std::map<std::uint32_t, Process> processes_; // one a pid: the one before has ended by then
	std::uint32_t next_missed_pid_ = 0;          // where find_lost_ends() goes on the next time
};

} // namespace loopsnoop::session

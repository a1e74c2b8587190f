// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "session/context.h"
#include "session/loop.h"
#include "session/process_facts.h"
#include "session/processes.h"

namespace loopsnoop::session {

// The totals of the latest loops that have ended.
class EndedLoops {
public:
	void add(const LoopTotals &totals) {
		totals_.push_back(totals);
		if (totals_.size() > max_totals) {
			totals_.pop_front();
			left_out_++;
		}
	}
	[[nodiscard]] const std::deque<LoopTotals> &totals() const { return totals_; }
	[[nodiscard]] std::uint64_t left_out() const { return left_out_; } // loops beyond the number that is kept

private:
	static constexpr std::size_t max_totals = 4096;

	std::deque<LoopTotals> totals_;
	std::uint64_t left_out_ = 0;
};

// Which threads are loops: one Loop for each thread that the kernel side gave a place in its table, from LoopAppeared to the
// thread's end. Only this class changes the status of a loop and says in a record that it was found. One thread. As many loops as
// the kernel's table has places.
class LoopRegistry {
public:
	enum class Leaves : std::uint8_t {
		ignored, // it is there, but no loop
		ended,   // the thread is gone, or another program
	};

	LoopRegistry(const Context &context, Processes &processes, ProcessFacts &facts)
	    : context_(context), processes_(processes), facts_(facts) {}

	// Called before a loop is ignored or removed, so that a stall of it that was reported gets its last record. Set once.
	void before_leaving(std::function<void(Loop &, Leaves)> hook) { before_leaving_ = std::move(hook); }

	void on(LoopAppeared &&event);
	// Its stack showed whose loop it is; it was `pending`.
	void decide(Loop &loop, bool runtimes_own);
	// It has not polled, but no other thread of the process has, and it takes long: it is announced.
	void announce_starting(Loop &loop) { announce(loop, nullptr); }
	// It is no loop after all. A stall of it that was reported gets its last record.
	void ignore(Loop &loop);
	// The same, and it does not count as a loop in the summary either.
	void disown(Loop &loop);
	void set_in_callback(Loop &loop) {
		loop.status = loop.status == LoopStatus::starting ? LoopStatus::in_callback : loop.status;
	}
	void close(Loop &loop) { loop.status = LoopStatus::closed; }
	// The thread's account when it ended.
	void end(const LoopEnd &end);
	void remove_process(std::uint32_t pid);

	[[nodiscard]] Loop *find(LoopKey key);
	[[nodiscard]] Loop *find(std::uint32_t pid, std::uint32_t tid);
	[[nodiscard]] std::map<LoopKey, Loop> &all() { return loops_; }
	// Those that were announced, as the kernel's table has them.
	[[nodiscard]] std::vector<LoopState> current() const;
	// Of all that were announced, those that have ended included.
	[[nodiscard]] std::vector<LoopTotals> totals() const;
	[[nodiscard]] std::uint64_t totals_left_out() const { return ended_.left_out(); }
	[[nodiscard]] std::uint64_t dropped_waits() const;

private:
	[[nodiscard]] Loop &take_in(const LoopAppeared &event);
	[[nodiscard]] bool wanted(const Loop &loop) const;
	[[nodiscard]] bool shares_poll_fd(const Loop &loop);
	[[nodiscard]] bool may_be_the_runtimes(const Loop &loop);
	void accept(Loop &loop, const LoopAppeared &event);
	void announce(Loop &loop, const LoopAppeared *event);
	std::map<LoopKey, Loop>::iterator remove(std::map<LoopKey, Loop>::iterator entry);

	const Context &context_;
	Processes &processes_;
	ProcessFacts &facts_;
	std::function<void(Loop &, Leaves)> before_leaving_;
	std::map<LoopKey, Loop> loops_;
	EndedLoops ended_;
	std::uint64_t dropped_waits_ = 0; // of those that have ended
};

} // namespace loopsnoop::session

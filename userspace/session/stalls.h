// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analysis/iteration_buffer.h"
#include "analysis/line_account.h"
#include "base/clock.h"
#include "collector/collector.h"
#include "inspect/children.h"
#include "inspect/gil_watch.h"
#include "inspect/inspector.h"
#include "inspect/last_holders.h"
#include "inspect/programs.h"
#include "inspect/resolver.h"
#include "inspect/seen_resources.h"
#include "inspect/thread_views.h"
#include "inspect/throttle_watch.h"
#include "model/event.h"
#include "model/session.h"
#include "session/process_history.h"

namespace loopsnoop::session {

struct StallOptions {
	std::uint64_t threshold_ns = 0;
	std::uint64_t hang_after_ns = 0;
	std::set<std::uint32_t> only_tids; // --tid: no other thread of their processes is a loop; empty: any
	bool children = false;             // what becomes of processes that are forked is told at the end
};

// From the collector's events to the records of a session: which threads are loops, what became of their iterations, what is
// stuck right now. One thread calls: `handle` for each event in order, `tick` a few times a second, at the end `finish`,
// `handle` for what has come until then, `end`.
class Stalls {
public:
	using Sink = std::function<void(const Record &)>;

	Stalls(StallOptions options, collector::Collector &collector, process::ProcFs proc, inspect::Programs &programs,
	       inspect::Children &children, inspect::Resolver &resolver, inspect::Inspector &inspector, Sink sink);

	enum class Asked : std::uint8_t { by_name, found };
	// The process is about to be followed; `found`: by discovery, one of perhaps hundreds.
	void expect(std::uint32_t pid, Asked asked);
	[[nodiscard]] bool follows(std::uint32_t pid) const { return processes_.contains(pid); }
	// The processes that were expected and whose threads have all ended before they could be followed.
	void forget_unseen(std::uint32_t pid);
	// Tells the kernel side of interpreters, so that captures have their frames; before the session is said to have begun.
	void prepare();
	// After the collector began to follow the process, before the session is said to have begun: a poll() that a thread is asleep
	// in at this moment and that only a loop would make.
	void probe_sleeping_poll(std::uint32_t pid);
	// Then: what all of its threads are doing.
	void first_look(std::uint32_t pid);
	void handle(Event &&event);
	enum class Handled : std::uint8_t { all, some }; // of the events that have come
	void tick(Handled handled);
	// The session is over: stalls that still run get their last record. One that ends at this moment has its own on the way.
	void finish();
	// The totals of all loops.
	[[nodiscard]] std::vector<LoopTotals> end();

	// What the stalls spent in each line.
	[[nodiscard]] std::vector<LineTotals> lines() const { return lines_.lines(); }
	// The processes of a session that follows children.
	[[nodiscard]] std::vector<ProcessLife> processes() { return history_.all(monotonic_ns()); }
	[[nodiscard]] std::uint64_t stalls() const { return stall_count_; }
	[[nodiscard]] std::uint64_t stalled_ns() const { return stalled_ns_; }
	[[nodiscard]] std::optional<std::uint64_t> oldest_ongoing_ns() const;
	[[nodiscard]] std::uint64_t dropped_waits() const;
	// Threads that are followed as loops, as the kernel's table has them.
	[[nodiscard]] std::vector<LoopState> current_loops() const;
	// When the next running iteration will be old enough to be reported; ~0: none is running.
	[[nodiscard]] std::uint64_t next_due_ns() const { return next_due_ns_; }
	[[nodiscard]] bool any_process_left() const { return !processes_.empty(); }
	[[nodiscard]] std::size_t processes() const { return processes_.size(); }
	// Loops that ended, beyond the number that is kept for the summary.
	[[nodiscard]] std::uint64_t loops_left_out() const { return left_out_; }

private:
	struct Ongoing {
		std::uint64_t id = 0;
		std::uint64_t iteration = 0;
		std::uint64_t next_age_ns = 0;
		std::uint64_t start_ns = 0;
		unsigned missed = 0; // looks that did not find it running, and all events handled
		Stall told;          // the last record that went out
	};
	// Python's frames of a sleep that was captured without them, read while it went on.
	struct MissedPython {
		std::uint64_t off_ns = 0; // LoopState::off_since_ns
		std::vector<PythonFrameRef> python;
	};
	enum class Owner : std::uint8_t { unknown, application, runtime };
	struct Loop {
		LoopKey key;
		LoopTotals totals;
		std::string comm;
		std::string thread;
		bool provisional = false; // has not come to a poll call
		bool in_callback = false; // of a loop, as its stack said when it was first looked at
		bool announced = false;
		bool ignored = false;
		bool python_known = false;
		Owner owner = Owner::unknown;
		std::optional<MissedPython> missed_python;
		std::optional<int> poll_fd;
		std::uint64_t next_python_ns = 0;
		std::uint64_t next_care_ns = 0; // of one that was found; the others are cared for at each tick
		analysis::IterationBuffer buffer;
		std::optional<RawWait> live; // a wait that could only be read from outside
		Cause live_kernel_cause{};   // what the kernel's account takes it for
		std::optional<Ongoing> ongoing;
		std::uint64_t resolved_key = 0; // of the wait whose stack is kept, read while it was going on
		std::optional<Stack> resolved;
		std::vector<std::pair<std::uint64_t, Stack>> early; // stacks of waits of a start-up by their keys, named as they came
		inspect::SeenResources seen;
		std::uint64_t viewed_off_ns = 0; // LoopState::off_since_ns of the last wait whose resource was looked at
	};
	struct ProcessInfo {
		std::uint64_t since_ns = 0;
		bool has_loop = false;                // a thread of it was seen in its own poll call, or in the middle of a loop
		std::set<std::uint32_t> frozen_loops; // threads that were in the middle of a loop when they were first looked at
		bool weak_accepted = false;
		bool missed = false; // was not there at the last look for it
		bool found = false;  // by discovery
	};

	void on(LoopAppeared &&event);
	void on(RawWait &&event);
	void on(IterationEnded &&event);
	void on(RawSample &&event);
	void on(RawWaker &&event);
	void on(RawGilWait &&event);
	void on(Forked &&event);
	void on(Execed &&event);
	void on(ThreadExited &&event);
	static void on(const Candidate & /*event*/) {} // the session's business

	void inspect_new_thread(ThreadSnapshot &snapshot, ProcessInfo &process);
	void inspect_provisional(Loop &loop, ThreadSnapshot &snapshot);
	[[nodiscard]] bool computes_in_callback(Loop &loop, const LoopState &state);
	[[nodiscard]] bool has_better_loop(ThreadSnapshot &snapshot);
	[[nodiscard]] bool in_callback_of_asyncio(ThreadSnapshot &snapshot);
	void announce(Loop &loop, const LoopAppeared *event);
	[[nodiscard]] bool shares_poll_fd(const Loop &loop);
	[[nodiscard]] bool may_be_the_runtimes(const Loop &loop);
	void accept(Loop &loop, const LoopAppeared &event);
	// Which of the newcomers are loops of the application, by their stacks; one that has not slept for --hang-after is.
	void sort_pending_loops(std::uint64_t now_ns);
	void learn_python(Loop &loop, const LoopState &state);
	void read_missing_python(Loop &loop, const LoopState &state, const RawWait &wait);
	static void add_missed_python(const Loop &loop, RawWait &wait);
	void view_early(Loop &loop, const LoopState &state, const RawWait &wait);
	static void add_up(Loop &loop, const LoopState &state, std::uint64_t now_ns);
	void watch(Loop &loop, const LoopState &state, std::uint64_t now_ns);
	enum class Word : std::uint8_t { ongoing, last }; // last: the session ends, the stall does not
	// Number of the iteration that runs; for a loop that was woken and has not run since, the number it will have.
	[[nodiscard]] static std::uint64_t running_iteration(const LoopState &state) {
		return state.iteration + (state.iteration_start_ns == 0 ? 1 : 0);
	}
	[[nodiscard]] bool runs_still(const Loop &loop, const LoopState &state) const;
	// False: nothing was told, it has ended this moment or is none.
	bool report_ongoing(Loop &loop, Word word);
	[[nodiscard]] static bool runs_on(const Ongoing &ongoing, const LoopState &state);
	void tell_unseen_end(Loop &loop, Truncated how);
	void find_lost_ends(Handled handled);
	std::map<LoopKey, Loop>::iterator retire(std::map<LoopKey, Loop>::iterator entry);
	[[nodiscard]] static const Stack *resolved(const Loop &loop, const RawWait &wait);
	void resolve_early(Loop &loop, const LoopState &state);
	void notice_gone(std::uint64_t now_ns);
	void close_loop(const LoopEnd &end);
	void leave(Loop &loop);
	[[nodiscard]] bool wanted(const Loop &loop) const;
	[[nodiscard]] bool worth_reporting(const Loop &loop, const IterationEnded &event) const;
	[[nodiscard]] std::optional<RawWait> wait_now(Loop &loop, const LoopState &state, const ThreadSnapshot *snapshot);
	[[nodiscard]] static Stall begin_record(const Loop &loop, std::uint64_t start_ns, std::uint64_t end_ns);
	void fill(Loop &loop, Stall &stall, std::uint64_t iteration, const std::vector<RawWait> &waits,
	          const std::vector<RawSample> &samples);
	static void add_live_wait(const Loop &loop, const Breakdown &breakdown, std::vector<RawWait> &waits);
	void count(Loop &loop, const Stall &stall);
	void note_last_deed(const Loop &loop, const IterationEnded &event, const std::vector<RawWait> &waits,
	                    const std::vector<RawSample> &samples);
	[[nodiscard]] bool is_helper(const Stall &stall) const;

	StallOptions options_;
	collector::Collector &collector_;
	process::ProcFs proc_;
	inspect::Programs &programs_;
	inspect::Children &children_;
	inspect::Resolver &resolver_;
	inspect::Inspector &inspector_;
	Sink sink_;
	inspect::GilWatch gil_;
	analysis::LineAccount lines_;
	inspect::ThrottleWatch throttling_;
	inspect::LastHolders last_holders_;
	ProcessHistory history_;

	std::map<LoopKey, Loop> loops_;
	// Loops of Node that may be its own, not the application's, and of which nothing is told until that is known.
	std::map<LoopKey, LoopAppeared> pending_loops_;
	std::map<std::uint32_t, ProcessInfo> processes_;
	std::deque<LoopTotals> finished_; // the latest; bounded
	std::uint64_t left_out_ = 0;
	std::uint64_t next_id_ = 1;
	std::uint64_t stall_count_ = 0;
	std::uint64_t stalled_ns_ = 0;
	std::uint64_t dropped_waits_ = 0;
	std::uint64_t next_rest_ns_ = 0;
	std::uint32_t next_missed_pid_ = 0; // where the next look for those that are gone begins
	std::uint64_t next_due_ns_ = ~0ULL;
};

} // namespace loopsnoop::session

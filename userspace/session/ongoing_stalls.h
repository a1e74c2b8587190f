// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "inspect/gil_watch.h"
#include "inspect/inspector.h"
#include "session/bystanders.h"
#include "session/context.h"
#include "session/loop_registry.h"
#include "session/process_facts.h"
#include "session/processes.h"
#include "session/running_waits.h"
#include "session/stall_builder.h"
#include "session/stall_totals.h"

namespace loopsnoop::session {

// Stalls that go on. Each is reported once when it is --hang-after old and again at each doubling of its age, and the end
// of one that was reported is reported exactly once: from the kernel side, or, where that record was lost or the loop is gone, as
// the last record once more. One thread. A report takes a snapshot of every thread of the process.
class OngoingStalls {
public:
	// The parts of a session that it works with. They outlive it.
	struct Parts {
		LoopRegistry &loops;
		Processes &processes;
		ProcessFacts &facts;
		inspect::Inspector &inspector;
		inspect::GilWatch &gil;
		RunningWaits &waits;
		StallBuilder &builder;
		StallTotals &totals;
		Bystanders &bystanders;
	};
	OngoingStalls(const Context &context, Parts parts) : context_(context), parts_(parts) {}

	enum class Report : std::uint8_t {
		ongoing,
		last, // the session ends, or the thread is no loop; the stall does not end
	};
	// False: nothing was reported, it has ended this moment, or nobody waits for it.
	bool report(Loop &loop, Report which);
	// Ends a stall whose end nobody saw: what was reported last is reported again as its end.
	void end_unseen(Loop &loop, Truncated how);
	// What was reported of this iteration, taken away from the loop because it has ended; nullopt: nothing was. A stall of an
	// iteration before it has ended unseen.
	[[nodiscard]] std::optional<OngoingStall> take(Loop &loop, std::uint64_t iteration);
	// To be called with all events handled: the record of an end may be lost (that is counted), and of a wake-up that came to
	// nothing there is none.
	void find_lost_ends();

	// Number of the iteration that runs; for a loop that was woken and has not run since, the number it will have.
	[[nodiscard]] static std::uint64_t running_iteration(const LoopState &state) {
		return state.iteration + (state.iteration_start_ns == 0 ? 1 : 0);
	}
	// Whether the stall that was reported still runs, or the loop was woken for that iteration and has not run since.
	[[nodiscard]] static bool runs_on(const OngoingStall &ongoing, const LoopState &state);
	// The age at which the running iteration of this loop is to be reported next.
	[[nodiscard]] std::uint64_t due_ns(const Loop &loop) const {
		return loop.ongoing ? loop.ongoing->next_age_ns : std::max(loop.passed_over.next_age_ns, context_.options.hang_after_ns);
	}
	[[nodiscard]] std::optional<std::uint64_t> oldest_ns() const; // nullopt: none goes on

private:
	// A running iteration, read while it did not move.
	struct Reading {
		LoopState state;
		std::vector<ThreadSnapshot> snapshots;
		std::optional<RawWait> wait;
		std::uint64_t snapshot_ns = 0; // of its own thread; 0: it had none
		std::uint64_t start_ns = 0;
		std::uint64_t seen_ns = 0; // it ran still at that moment: it is never reported longer than it was in the end
	};
	[[nodiscard]] std::optional<Reading> read(Loop &loop);
	[[nodiscard]] bool runs_still(const Loop &loop, const LoopState &state) const;
	[[nodiscard]] Stall begin(const Loop &loop, Reading &reading);
	[[nodiscard]] std::optional<ThreadView> add_threads(const Loop &loop, Stall &stall, const Reading &reading);
	[[nodiscard]] bool is_helper(const Stall &stall) const;
	void pass_over(Loop &loop, const Stall &stall, std::uint64_t iteration);
	[[nodiscard]] bool add_clients(Stall &stall) const;
	[[nodiscard]] bool add_killed_worker(Stall &stall) const;
	void remember(Loop &loop, const Stall &stall, const LoopState &state);
	void write_last(Loop &loop, Stall &stall);

	const Context &context_;
	Parts parts_;
};

} // namespace loopsnoop::session

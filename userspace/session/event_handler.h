// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "inspect/gil_watch.h"
#include "model/event.h"
#include "session/attach_inspection.h"
#include "session/bystanders.h"
#include "session/context.h"
#include "session/loop_registry.h"
#include "session/ongoing_stalls.h"
#include "session/process_facts.h"
#include "session/processes.h"
#include "session/running_waits.h"
#include "session/stall_builder.h"
#include "session/stall_totals.h"

namespace loopsnoop::session {

// What each event of the collector means for the other parts of the session. To be called for every event, in order, from the
// session's thread.
class EventHandler {
public:
	// The parts of a session that it hands events to. They outlive it.
	struct Parts {
		LoopRegistry &loops;
		Processes &processes;
		ProcessFacts &facts;
		inspect::GilWatch &gil;
		AttachInspection &attach;
		RunningWaits &waits;
		StallBuilder &builder;
		OngoingStalls &ongoing;
		StallTotals &totals;
		Bystanders &bystanders;
	};
	EventHandler(const Context &context, Parts parts) : context_(context), parts_(parts) {}

	void handle(Event &&event);

private:
	void on(LoopAppeared &&event) { parts_.loops.on(std::move(event)); }
	void on(RawWait &&event);
	void on(RawSample &&event);
	void on(RawWaker &&event);
	void on(RawGilWait &&event);
	void on(IterationEnded &&event);
	void on(Forked &&event) { parts_.processes.on(event); }
	void on(Execed &&event);
	void on(ThreadExited &&event);
	static void on(const Candidate & /*event*/) {} // the session gives it to discovery

	[[nodiscard]] bool worth_reporting(const Loop &loop, const IterationEnded &event);
	void report(Loop &loop, const IterationEnded &event, std::vector<RawWait> waits, const std::vector<RawSample> &samples,
	            std::optional<OngoingStall> ongoing);
	void note_last_activity(const Loop &loop, const IterationEnded &event, const std::vector<RawWait> &waits,
	                        const std::vector<RawSample> &samples);

	const Context &context_;
	Parts parts_;
};

} // namespace loopsnoop::session

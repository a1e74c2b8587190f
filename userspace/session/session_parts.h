// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "inspect/gil_watch.h"
#include "inspect/inspector.h"
#include "session/attach_inspection.h"
#include "session/bystanders.h"
#include "session/context.h"
#include "session/event_handler.h"
#include "session/loop_registry.h"
#include "session/ongoing_stalls.h"
#include "session/process_facts.h"
#include "session/processes.h"
#include "session/python_frames.h"
#include "session/running_waits.h"
#include "session/session_tick.h"
#include "session/stall_builder.h"
#include "session/stall_totals.h"
#include "session/standstills.h"

namespace loopsnoop::session {

// Everything between the collector's events and the records of a session, put together: the only place that knows all of it. Each
// part refers to those above it. The session's thread uses it, no other.
//
// Events go to `events`, the clock to `tick`; who is followed to `processes` and, once that has begun, to `attach`.
struct SessionParts {
	// `stack_bytes`: of user stack read of a thread in a snapshot.
	SessionParts(Context given, std::uint32_t stack_bytes)
	    : context(std::move(given)), facts(context),
	      inspector(context.collector, context.proc, facts.programs, facts.resolver, stack_bytes),
	      gil(context.proc, facts.programs), processes(context, facts), loops(context, processes, facts),
	      bystanders(context, processes, facts), python(context, facts.programs, inspector),
	      waits(context, facts, inspector, python), builder(context, facts, gil),
	      ongoing(context, {loops, processes, facts, inspector, gil, waits, builder, totals, bystanders}),
	      attach(context, loops, processes, facts, inspector),
	      events(context, {loops, processes, facts, gil, attach, waits, builder, ongoing, totals, bystanders}),
	      tick(context, {loops, processes, facts, attach, python, waits, ongoing}),
	      standstills(context, facts, loops, inspector) {
		processes.before_end([this](std::uint32_t pid) { loops.remove_process(pid); });
		loops.before_leaving([this](Loop &loop, LoopRegistry::Leaves how) { end_stall(loop, how); });
	}
	SessionParts(const SessionParts &) = delete;
	SessionParts &operator=(const SessionParts &) = delete;
	SessionParts(SessionParts &&) = delete;
	SessionParts &operator=(SessionParts &&) = delete;
	~SessionParts() = default;

	Context context;
	ProcessFacts facts;
	inspect::Inspector inspector;
	inspect::GilWatch gil;
	Processes processes;
	LoopRegistry loops;
	StallTotals totals;
	Bystanders bystanders;
	PythonFrames python;
	RunningWaits waits;
	StallBuilder builder;
	OngoingStalls ongoing;
	AttachInspection attach;
	EventHandler events;
	SessionTick tick;
	Standstills standstills;

private:
	// A stall that was reported gets its last record all the same; of a thread that is no loop from the kernel side if it ended
	// this moment.
	void end_stall(Loop &loop, LoopRegistry::Leaves how) {
		if (how == LoopRegistry::Leaves::ended) {
			if (loop.ongoing) {
				ongoing.end_unseen(loop, Truncated::target_exit);
			}
			gil.forget(loop.key);
		} else if (loop.ongoing) {
			ongoing.report(loop, OngoingStalls::Report::last);
		}
	}
};

} // namespace loopsnoop::session

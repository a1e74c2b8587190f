// SPDX-License-Identifier: Apache-2.0
#include "session/event_handler.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "analysis/culprit.h"
#include "session/python_frames.h"
#include "summary/wait.h"

namespace loopsnoop::session {

namespace {

// The last wait and the last sample that had begun at that moment; nullptr: there is none.
struct LastSeen {
	const RawWait *wait = nullptr;
	const RawSample *sample = nullptr;
};
LastSeen last_before(std::uint64_t at_ns, const std::vector<RawWait> &waits, const std::vector<RawSample> &samples) {
	LastSeen last;
	for (const RawWait &one : waits) {
		if (one.start_ns <= at_ns && (last.wait == nullptr || one.end_ns >= last.wait->end_ns)) {
			last.wait = &one;
		}
	}
	for (const RawSample &one : samples) {
		if (one.time_ns <= at_ns && (last.sample == nullptr || one.time_ns >= last.sample->time_ns)) {
			last.sample = &one;
		}
	}
	return last;
}

} // namespace

void EventHandler::handle(Event &&event) {
	std::visit([this](auto &&one) { this->on(std::forward<decltype(one)>(one)); }, std::move(event));
}

void EventHandler::on(RawWait &&event) {
	if (Loop *loop = parts_.loops.find(event.key); loop != nullptr) {
		PythonFrames::add_missing(*loop, event);
		parts_.waits.keep_names(*loop, event);
		loop->buffer.add(std::move(event));
	}
}

void EventHandler::on(RawSample &&event) {
	if (Loop *loop = parts_.loops.find(event.key); loop != nullptr) {
		// Their names now: a process that ends right after its stall takes them with it.
		event.python = parts_.facts.resolver.python(event.stack);
		if (parts_.facts.resolver.names_move(event.pid)) {
			event.named = parts_.facts.resolver.stack(event.stack);
			event.stack = {};
		}
		loop->buffer.add(std::move(event));
	}
}

void EventHandler::on(RawWaker &&event) {
	if (Loop *loop = parts_.loops.find(event.key); loop != nullptr) {
		// As of samples: the waker may end any moment.
		event.python = parts_.facts.resolver.python(event.stack);
		event.thread = parts_.facts.programs.thread_name(event.stack.pid, event.stack.tid, {});
		loop->buffer.add(std::move(event));
	}
}

void EventHandler::on(RawGilWait &&event) {
	if (parts_.loops.find(event.key) != nullptr) {
		parts_.gil.on(event);
	}
}

void EventHandler::on(Execed &&event) {
	if (event.loop) {
		parts_.loops.end(*event.loop);
	}
	parts_.processes.on(event);
}

void EventHandler::on(ThreadExited &&event) {
	if (event.loop) {
		parts_.loops.end(*event.loop);
	}
	parts_.processes.on(event);
}

bool EventHandler::worth_reporting(const Loop &loop, const IterationEnded &event) {
	const std::uint64_t duration = event.end_ns - event.start_ns;
	if (loop.ongoing && loop.ongoing->iteration == event.iteration) {
		return true;
	}
	if (loop.silent() || duration < context_.options.threshold_ns) {
		return false;
	}
	if (!event.provisional) {
		return true;
	}
	// Start-up, or a main thread that was not in its poll call when it was first seen. Of a process whose loop is another thread
	// it means nothing; otherwise it is a stall that began before, or, of a process that is just starting, one once it is long.
	const Process *process = parts_.processes.find(loop.totals.pid);
	if (loop.no_loop_yet() && process != nullptr && process->has_loop) {
		return false;
	}
	return (event.by == IterationEnded::By::poll && event.before_attach) || duration >= context_.options.hang_after_ns;
}

void EventHandler::on(IterationEnded &&event) {
	Loop *loop = parts_.loops.find(event.key);
	if (loop == nullptr) {
		return;
	}
	std::vector<RawWait> waits = loop->buffer.take_waits(event.iteration);
	const std::vector<RawSample> samples = loop->buffer.take_samples(event.iteration);
	if (loop->status == LoopStatus::pending && worth_reporting(*loop, event)) {
		parts_.attach.decide_pending(~0ULL); // the loop is reported before its stall
	}
	const bool worth_it = worth_reporting(*loop, event);
	auto ongoing = parts_.ongoing.take(*loop, event.iteration);
	if (event.by == IterationEnded::By::exit) {
		note_last_activity(*loop, event, waits, samples);
	}
	if (worth_it) {
		report(*loop, event, std::move(waits), samples, std::move(ongoing));
	}
	if (loop->uncaptured && loop->uncaptured->wait.iteration <= event.iteration) {
		loop->uncaptured.reset();
	}
	loop->names.early.clear();
}

void EventHandler::report(Loop &loop, const IterationEnded &event, std::vector<RawWait> waits,
                          const std::vector<RawSample> &samples, std::optional<OngoingStall> ongoing) {
	const bool was_reported = ongoing.has_value();
	const std::uint64_t id = ongoing ? ongoing->id : 0;
	Stall stall = parts_.builder.ended(loop, event, std::move(waits), samples, std::move(ongoing));
	if (!was_reported && parts_.bystanders.waits_by_design(stall, parts_.bystanders.signs_of(stall))) {
		return;
	}
	stall.id = was_reported ? id : parts_.totals.new_id();
	if (!loop.announced && !loop.silent()) {
		parts_.loops.announce_starting(loop);
	}
	parts_.facts.last_holders.learn(stall);
	parts_.totals.add(stall, loop.totals);
	context_.write(stall);
}

// What the main thread of a process did when the signal came that ended it, or last of all.
void EventHandler::note_last_activity(const Loop &loop, const IterationEnded &event, const std::vector<RawWait> &waits,
                                      const std::vector<RawSample> &samples) {
	ProcessHistory &history = parts_.facts.history;
	if (!history.on() || loop.totals.tid != loop.totals.pid) {
		return;
	}
	const auto signal = history.signal_of(loop.totals.pid);
	if (signal && signal->was_idle) {
		return; // it was no iteration then
	}
	const std::uint64_t at = signal ? signal->time_ns : event.end_ns;
	const auto [wait, sample] = last_before(at, waits, samples);
	if (wait != nullptr && (wait->end_ns >= at || sample == nullptr || wait->end_ns >= sample->time_ns)) {
		const Wait named = parts_.facts.resolver.wait(*wait, RunningWaits::names_of(loop, *wait));
		history.did(loop.totals.pid, summary::format_wait(named),
		            named.stack ? analysis::culprit_of(*named.stack) : std::nullopt);
	} else if (sample != nullptr) {
		Stack stack;
		stack.python = sample->python;
		history.did(loop.totals.pid, "computing", analysis::culprit_of(stack));
	}
}

} // namespace loopsnoop::session

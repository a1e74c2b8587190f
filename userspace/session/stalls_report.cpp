// SPDX-License-Identifier: Apache-2.0
// What has ended: iterations that were long enough are made into records.
#include "session/stalls.h"

#include <algorithm>
#include <string>
#include <utility>

#include "analysis/gil_story.h"
#include "analysis/story.h"
#include "analysis/waits.h"
#include "base/clock.h"

namespace loopsnoop::session {

namespace {

std::string started_at(std::uint64_t start_ns) {
	const std::uint64_t ago = monotonic_ns() - start_ns;
	return rfc3339_utc(realtime_ns() - ago);
}

void add(Breakdown &to, const Breakdown &from) {
	for (std::size_t i = 0; i < to.size(); i++) {
		to.at(i).ns += from.at(i).ns;
		to.at(i).count += from.at(i).count;
	}
}

} // namespace

bool Stalls::worth_reporting(const Loop &loop, const IterationEnded &event) const {
	const std::uint64_t duration = event.end_ns - event.start_ns;
	if (loop.ongoing && loop.ongoing->iteration == event.iteration) {
		return true;
	}
	if (loop.ignored || duration < options_.threshold_ns) {
		return false;
	}
	if (!event.provisional) {
		return true;
	}
	// Start-up, or a main thread that was not in its poll call when it was first seen. Of a process whose loop is another thread
	// it means nothing; otherwise it is a stall that began before, or, of a process that is just starting, one once it is long.
	const auto process = processes_.find(loop.totals.pid);
	if (loop.provisional && !loop.in_callback && process != processes_.end() && process->second.has_loop) {
		return false;
	}
	return event.by == IterationEnded::By::poll && event.before_attach ? true : duration >= options_.hang_after_ns;
}

Stall Stalls::begin_record(const Loop &loop, std::uint64_t start_ns, std::uint64_t end_ns) {
	Stall stall;
	stall.start_ns = start_ns;
	stall.started_at = started_at(start_ns);
	stall.duration_ns = end_ns - start_ns;
	stall.pid = loop.totals.pid;
	stall.tid = loop.totals.tid;
	stall.comm = loop.comm;
	stall.thread = loop.thread;
	return stall;
}

void Stalls::fill(Loop &loop, Stall &stall, std::uint64_t iteration, const std::vector<RawWait> &waits,
                  const std::vector<RawSample> &samples) {
	std::vector<Wait> resolved;
	resolved.reserve(waits.size());
	for (const RawWait &raw : waits) {
		Wait wait = resolver_.wait(raw, Stalls::resolved(loop, raw));
		if (wait.cause != raw.cause) {
			analysis::reclassify(stall.breakdown, raw.cause, wait.cause, raw.off_ns - std::min(raw.off_ns, raw.run_delay_ns),
			                     raw.count);
		}
		resolved.push_back(std::move(wait));
	}
	stall.waits = analysis::report_waits(std::move(resolved));
	loop.seen.recall(iteration, stall); // what was seen goes before what is inferred
	std::vector<CpuPart> parts;
	parts.reserve(samples.size());
	for (const RawSample &sample : samples) {
		Stack stack;
		if (sample.named) {
			stack = *sample.named;
		} else {
			RawStack rest = sample.stack;
			rest.python.clear();
			stack = resolver_.stack(rest);
			stack.python = sample.python;
		}
		parts.push_back({1, sample.periods * collector_.sample_period_ns(), std::move(stack)});
	}
	stall.cpu = analysis::report_samples(std::move(parts));
	analysis::balance(stall.breakdown, stall.duration_ns);
	// The counter is of the whole cgroup and all CPUs: no more of it than this thread waited for a CPU.
	if (const auto throttled =
	        throttling_.since(stall.pid, stall.start_ns, monotonic_ns(), part_of(stall.breakdown, Cause::runqueue).ns)) {
		stall.throttled_ns = *throttled;
	}
	analysis::tell_gil(stall, gil_.holders(loop.key, iteration));
	analysis::tell_story(stall);
	// After the culprit was found: recursion makes many stacks of few samples each, and all of them count for its line.
	if (stall.cpu.size() > analysis::max_reported_cpu_stacks) {
		stall.cpu.resize(analysis::max_reported_cpu_stacks);
	}
}

// The kernel side has no record of a wait that began before it looked, or whose stack it had no budget for: its time is what the
// account has of its cause beyond the waits that are known.
void Stalls::add_live_wait(const Loop &loop, const Breakdown &breakdown, std::vector<RawWait> &waits) {
	if (!loop.live) {
		return;
	}
	RawWait live = *loop.live;
	std::uint64_t known = 0;
	for (const RawWait &wait : waits) {
		if (wait.cause == loop.live_kernel_cause) {
			known += wait.off_ns - std::min(wait.off_ns, wait.run_delay_ns);
		}
	}
	const std::uint64_t all = part_of(breakdown, loop.live_kernel_cause).ns;
	if (all <= known) {
		return;
	}
	live.off_ns = all - known;
	live.ongoing = false;
	waits.push_back(std::move(live));
}

void Stalls::on(IterationEnded &&event) {
	const auto entry = loops_.find(event.key);
	if (entry == loops_.end()) {
		return;
	}
	Loop &loop = entry->second;
	std::vector<RawWait> waits = loop.buffer.take_waits(event.iteration);
	std::vector<RawSample> samples = loop.buffer.take_samples(event.iteration);
	if (pending_loops_.contains(loop.key) && worth_reporting(loop, event)) {
		sort_pending_loops(~0ULL); // the loop is told before its stall
	}
	const bool report = worth_reporting(loop, event);
	if (loop.ongoing && event.iteration > loop.ongoing->iteration) {
		tell_unseen_end(loop, Truncated::end_lost);
	}
	std::optional<Ongoing> ongoing;
	if (loop.ongoing && event.iteration == loop.ongoing->iteration) { // an earlier one comes late, behind many others
		ongoing = std::exchange(loop.ongoing, std::nullopt);
	}
	if (event.by == IterationEnded::By::exit) {
		note_last_deed(loop, event, waits, samples);
	}
	if (report) {
		Stall stall = begin_record(loop, event.start_ns, event.end_ns);
		stall.breakdown = event.breakdown;
		if (loop.live && loop.live->iteration == event.iteration) {
			if (loop.live->cause != loop.live_kernel_cause) {
				std::vector<RawWait> one;
				add_live_wait(loop, event.breakdown, one);
				if (!one.empty()) {
					analysis::reclassify(stall.breakdown, loop.live_kernel_cause, one.front().cause, one.front().off_ns, 1);
				}
			}
			add_live_wait(loop, event.breakdown, waits);
		}
		stall.truncated = event.before_attach                    ? Truncated::before_attach
		                  : event.by != IterationEnded::By::poll ? Truncated::target_exit
		                                                         : Truncated::no;
		stall.no_loop_yet = loop.provisional && event.provisional && !loop.in_callback;
		if (ongoing) {
			stall.id = ongoing->id;
			stall.threads = std::move(ongoing->told.threads);
			stall.deadlock = std::move(ongoing->told.deadlock);
			stall.startup = std::move(ongoing->told.startup);
			stall.pool = std::move(ongoing->told.pool);
			stall.peer = std::move(ongoing->told.peer);
		} else {
			stall.id = next_id_++;
		}
		fill(loop, stall, event.iteration, waits, samples);
		last_holders_.learn(stall);
		count(loop, stall);
		sink_(stall);
	}
	if (loop.live && loop.live->iteration <= event.iteration) {
		loop.live.reset();
	}
	loop.early.clear();
}

void Stalls::count(Loop &loop, const Stall &stall) {
	lines_.add(stall);
	loop.totals.stalls++;
	loop.totals.stalled_ns += stall.duration_ns;
	add(loop.totals.by_cause, stall.breakdown);
	stall_count_++;
	loop.totals.longest_ns = std::max(loop.totals.longest_ns, stall.duration_ns);
	stalled_ns_ += stall.duration_ns;
}

} // namespace loopsnoop::session

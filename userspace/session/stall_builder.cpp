// SPDX-License-Identifier: Apache-2.0
#include "session/stall_builder.h"

#include <algorithm>
#include <utility>

#include "analysis/circumstances.h"
#include "analysis/gil_holders.h"
#include "analysis/judge.h"
#include "analysis/waits.h"
#include "inspect/heap_limit.h"
#include "process/cgroup_limits.h"
#include "session/running_waits.h"
#include "summary/stall_summary.h"

namespace loopsnoop::session {

Stall StallBuilder::begin(const Loop &loop, std::uint64_t start_ns, std::uint64_t end_ns) {
	Stall stall;
	stall.start_ns = start_ns;
	stall.started_at = context_.clock.rfc3339(start_ns);
	stall.duration_ns = end_ns - start_ns;
	stall.pid = loop.totals.pid;
	stall.tid = loop.totals.tid;
	stall.comm = loop.comm;
	stall.name = facts_.programs.name(stall.pid);
	stall.thread = loop.thread;
	return stall;
}

Stall StallBuilder::ended(const Loop &loop, const IterationEnded &event, std::vector<RawWait> waits,
                          const std::vector<RawSample> &samples, std::optional<OngoingStall> ongoing) {
	Stall stall = begin(loop, event.start_ns, event.end_ns);
	stall.breakdown = event.breakdown;
	if (const auto &live = loop.uncaptured; live && live->wait.iteration == event.iteration) {
		if (live->wait.cause != live->kernel_cause) {
			std::vector<RawWait> one;
			RunningWaits::add_uncaptured(loop, event.breakdown, event.end_ns, one);
			if (!one.empty()) {
				analysis::reclassify(stall.breakdown, live->kernel_cause, one.front().cause, one.front().off_ns, 1);
			}
		}
		RunningWaits::add_uncaptured(loop, event.breakdown, event.end_ns, waits);
	}
	stall.truncated = event.before_attach                    ? Truncated::before_attach
	                  : event.by != IterationEnded::By::poll ? Truncated::target_exit
	                                                         : Truncated::no;
	const bool was_no_loop = loop.status == LoopStatus::ignored && ongoing && ongoing->last_reported.no_loop_yet;
	stall.no_loop_yet = event.provisional && (loop.no_loop_yet() || was_no_loop);
	if (ongoing) {
		stall.threads = std::move(ongoing->last_reported.threads);
		stall.deadlock = std::move(ongoing->last_reported.deadlock);
		stall.startup = std::move(ongoing->last_reported.startup);
		stall.pool = std::move(ongoing->last_reported.pool);
		stall.peer = std::move(ongoing->last_reported.peer);
		stall.beyond = std::move(ongoing->last_reported.beyond);
		stall.clients = std::move(ongoing->last_reported.clients);
		stall.killed_worker = std::move(ongoing->last_reported.killed_worker);
	}
	add_runner(stall, event.runner);
	fill(loop, stall, event.iteration, waits, samples);
	return stall;
}

void StallBuilder::add_runner(Stall &stall, const std::optional<Runner> &runner) {
	constexpr std::uint64_t matters = 4; // a quarter of it
	if (!runner || part_of(stall.breakdown, Cause::runqueue).ns * matters < stall.duration_ns) {
		return;
	}
	stall.runner = runner;
	const Peer known = facts_.programs.peer(runner->pid);
	if (known.comm == runner->comm) { // else it is another one by now
		stall.runner->name = known.name;
	}
}

void StallBuilder::add_waits(const Loop &loop, Stall &stall, const std::vector<RawWait> &waits) {
	std::vector<Wait> named;
	named.reserve(waits.size());
	for (const RawWait &raw : waits) {
		Wait wait = facts_.resolver.wait(raw, RunningWaits::names_of(loop, raw));
		if (wait.cause != raw.cause) {
			analysis::reclassify(stall.breakdown, raw.cause, wait.cause, raw.off_ns - std::min(raw.off_ns, raw.run_delay_ns),
			                     raw.count);
		}
		named.push_back(std::move(wait));
	}
	stall.waits = analysis::report_waits(std::move(named));
	waits_cut_ += analysis::cut_to_iteration(stall);
}

void StallBuilder::add_samples(Stall &stall, const std::vector<RawSample> &samples) {
	std::vector<CpuPart> parts;
	parts.reserve(samples.size());
	for (const RawSample &sample : samples) {
		Stack stack;
		if (sample.named) {
			stack = *sample.named;
		} else {
			RawStack rest = sample.stack;
			rest.python.clear();
			stack = facts_.resolver.stack(rest);
			stack.python = sample.python;
		}
		parts.push_back({1, sample.periods * context_.collector.sample_period_ns(), std::move(stack)});
	}
	stall.cpu = analysis::report_samples(std::move(parts));
}

// The limit behind a good part of a stall.
void StallBuilder::add_limit(Stall &stall) const {
	constexpr std::uint64_t tenth = 10;
	if (stall.throttled_ns.value_or(0) * tenth >= std::max<std::uint64_t>(stall.duration_ns, 1)) {
		stall.limit = process::cpu_limit(context_.proc, stall.pid);
	} else if (analysis::is_paging(stall) ||
	           part_of(stall.breakdown, Cause::page_fault).ns * 2 >= std::max<std::uint64_t>(stall.duration_ns, 1)) {
		stall.limit = process::memory_limit(context_.proc, stall.pid);
	}
}

void StallBuilder::fill(const Loop &loop, Stall &stall, std::uint64_t iteration, const std::vector<RawWait> &waits,
                        const std::vector<RawSample> &samples) {
	add_waits(loop, stall, waits);
	loop.seen.recall(iteration, stall); // what was seen goes before what is inferred
	add_samples(stall, samples);
	analysis::balance(stall.breakdown, stall.duration_ns);
	loop.python.samples.recall(iteration, stall);
	// The counter is of the whole cgroup and all CPUs: no more of it than this thread waited for a CPU.
	if (const auto throttled =
	        facts_.throttling.since(stall.pid, stall.start_ns, context_.now_ns(), part_of(stall.breakdown, Cause::runqueue).ns)) {
		stall.throttled_ns = *throttled;
	}
	add_limit(stall);
	analysis::account_gil(stall, gil_.holders(loop.key, iteration));
	analysis::judge(stall);
	inspect::add_heap_limit(stall, context_.proc);
	summary::summarize(stall);
	// After the culprit was found: recursion makes many stacks of few samples each, and all of them count for its line.
	if (stall.cpu.size() > analysis::max_reported_cpu_stacks) {
		stall.cpu.resize(analysis::max_reported_cpu_stacks);
	}
}

} // namespace loopsnoop::session

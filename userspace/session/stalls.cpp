// SPDX-License-Identifier: Apache-2.0
#include "session/stalls.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "process/placement.h"

namespace loopsnoop::session {

namespace {

constexpr std::size_t max_finished = 4096; // loops that have ended, kept for the summary

} // namespace

Stalls::Stalls(StallOptions options, collector::Collector &collector, process::ProcFs proc, inspect::Programs &programs,
               inspect::Children &children, inspect::Resolver &resolver, inspect::Inspector &inspector, Sink sink)
    : options_(std::move(options)), collector_(collector), proc_(std::move(proc)), programs_(programs), children_(children),
      resolver_(resolver), inspector_(inspector), sink_(std::move(sink)), gil_(proc_, programs_), throttling_(proc_),
      history_(collector_, proc_, options_.children) {}

void Stalls::expect(std::uint32_t pid, Asked asked) {
	ProcessInfo &process = processes_[pid];
	process.since_ns = monotonic_ns();
	process.found = asked == Asked::found;
	if (process.found) {
		throttling_.seldom(pid);
		programs_.seldom(pid);
	}
	throttling_.tick(pid, process.since_ns);
	std::optional<std::uint32_t> parent;
	if (const auto status = proc_.status(pid); status && processes_.contains(status->ppid)) {
		parent = status->ppid;
	}
	history_.began(pid, parent, process.since_ns);
}

void Stalls::forget_unseen(std::uint32_t pid) {
	const auto entry = processes_.find(pid);
	if (entry != processes_.end() && !proc_.exists(pid)) {
		processes_.erase(entry);
		programs_.forget(pid);
		throttling_.forget(pid);
	}
}

void Stalls::prepare() {
	for (const LoopState &state : collector_.loops()) {
		if (const auto entry = loops_.find(state.key); entry != loops_.end()) {
			learn_python(entry->second, state);
		}
	}
}

void Stalls::handle(Event &&event) {
	std::visit([this](auto &&one) { this->on(std::forward<decltype(one)>(one)); }, std::move(event));
}

void Stalls::on(LoopAppeared &&event) {
	ProcessInfo &process = processes_[event.pid];
	if (process.since_ns == 0) {
		process.since_ns = event.time_ns;
	}
	auto [entry, fresh] = loops_.try_emplace(event.key);
	Loop &loop = entry->second;
	if (fresh) {
		loop.key = event.key;
		loop.totals.pid = event.pid;
		loop.totals.tid = event.tid;
		loop.comm = event.comm;
		loop.thread = event.thread;
		programs_.set_comm(event.pid, event.comm);
		collector_.sample(event.key, event.tid);
		loop.in_callback = process.frozen_loops.contains(event.tid);
	}
	loop.provisional = event.provisional;
	loop.poll_fd = event.poll_fd;
	if (!wanted(loop) || loop.owner == Owner::runtime || (process.found && shares_poll_fd(loop))) {
		leave(loop);
		return;
	}
	if (event.provisional) {
		return;
	}
	if (may_be_the_runtimes(loop)) {
		pending_loops_.insert_or_assign(event.key, std::move(event));
	} else {
		accept(loop, event);
	}
}

// It has come to its poll call.
void Stalls::accept(Loop &loop, const LoopAppeared &event) {
	// Each worker thread of Node has a loop: the main thread may be frozen all the same.
	processes_[event.pid].has_loop |= event.tid == event.pid || programs_.runtime(event.pid).kind != RuntimeKind::node;
	history_.came_to_loop(event.pid);
	if (loop.ignored) {
		loop.ignored = false;
		collector_.ignore(loop.key, false);
	}
	loop.announced = false;
	announce(loop, &event);
}

// Threads of one process that wait on one epoll descriptor are a pool: whoever waits next hands over the work of the one before,
// and a thread that does something else for an hour keeps nobody waiting.
bool Stalls::shares_poll_fd(const Loop &loop) {
	bool any = false;
	for (auto &[key, other] : loops_) {
		if (loop.poll_fd && other.poll_fd == loop.poll_fd && other.totals.pid == loop.totals.pid &&
		    other.totals.tid != loop.totals.tid) {
			leave(other);
			any = true;
		}
	}
	if (any) {
		collector_.is_pool(loop.totals.pid);
	}
	return any;
}

void Stalls::announce(Loop &loop, const LoopAppeared *event) {
	loop.announced = true;
	LoopFound found;
	found.pid = loop.totals.pid;
	found.tid = loop.totals.tid;
	found.comm = loop.comm;
	found.thread = loop.thread;
	found.start_ns = event != nullptr ? event->time_ns : processes_[loop.totals.pid].since_ns;
	found.runtime = programs_.runtime(loop.totals.pid);
	found.placement = process::placement_of(proc_.cgroups(loop.totals.pid));
	if (event != nullptr && event->poll_syscall) {
		found.poll = OwnPoll{inspect::Resolver::syscall_text(event->poll_syscall).value_or("unknown"), event->poll_fd};
	}
	sink_(found);
}

void Stalls::on(RawWait &&event) {
	if (const auto loop = loops_.find(event.key); loop != loops_.end()) {
		add_missed_python(loop->second, event);
		// A process that is followed with its parent may be ended any moment, and takes the names with it; others move them.
		constexpr std::size_t max_early = 16;
		auto &early = loop->second.early;
		if (event.stack_key != 0 && early.size() < max_early && event.off_ns >= options_.threshold_ns / 10 &&
		    ((history_.on() && loop->second.provisional) || resolver_.names_move(event.pid)) &&
		    std::ranges::find(early, event.stack_key, &std::pair<std::uint64_t, Stack>::first) == early.end()) {
			const Stack *known = resolved(loop->second, event); // kept for one wait only
			early.emplace_back(event.stack_key, known != nullptr ? *known : resolver_.stack(event.stack));
		}
		loop->second.buffer.add(std::move(event));
	}
}

// The wait's stack, where it has its names already; nullptr: it has not.
const Stack *Stalls::resolved(const Loop &loop, const RawWait &wait) {
	if (wait.stack_key == 0) {
		return nullptr;
	}
	if (loop.resolved && wait.stack_key == loop.resolved_key) {
		return &*loop.resolved;
	}
	const auto early = std::ranges::find(loop.early, wait.stack_key, &std::pair<std::uint64_t, Stack>::first);
	return early != loop.early.end() ? &early->second : nullptr;
}

void Stalls::on(RawSample &&event) {
	if (const auto loop = loops_.find(event.key); loop != loops_.end()) {
		// Their names now: a process that ends right after its stall takes them with it.
		event.python = resolver_.python(event.stack);
		if (resolver_.names_move(event.pid)) {
			event.named = resolver_.stack(event.stack);
			event.stack = {};
		}
		loop->second.buffer.add(std::move(event));
	}
}

void Stalls::on(RawWaker &&event) {
	if (const auto loop = loops_.find(event.key); loop != loops_.end()) {
		// As of samples: the waker may end any moment.
		event.python = resolver_.python(event.stack);
		event.thread = programs_.thread_name(event.stack.pid, event.stack.tid, {});
		loop->second.buffer.add(std::move(event));
	}
}

void Stalls::on(RawGilWait &&event) {
	if (loops_.contains(event.key)) {
		gil_.on(event);
	}
}

void Stalls::on(Forked &&event) {
	children_.forked(event.pid, event.child, event.time_ns);
	if (event.followed) {
		const auto parent = processes_.find(event.pid);
		const bool found = parent != processes_.end() && parent->second.found;
		ProcessInfo &child = processes_[event.child];
		child.since_ns = event.time_ns;
		child.found = found;
		history_.began(event.child, event.pid, event.time_ns);
	}
	sink_(ProcessFork{event.pid, event.time_ns, event.child});
}

void Stalls::on(Execed &&event) {
	if (event.loop) {
		close_loop(*event.loop);
	}
	programs_.exec(event.pid);
	last_holders_.forget(event.pid);
	resolver_.exec(event.pid);
	programs_.set_comm(event.pid, event.comm);
	history_.exec(event.pid, event.comm);
	ProcessInfo &process = processes_[event.pid];
	if (process.found) { // what it is now is for discovery to say
		processes_.erase(event.pid);
	} else {
		process = {};
		process.since_ns = event.time_ns;
	}
	sink_(ProcessExec{event.pid, event.time_ns, event.comm});
}

void Stalls::on(ThreadExited &&event) {
	if (event.loop) {
		close_loop(*event.loop);
	}
	if (!event.process_ended) {
		return;
	}
	ProcessExit exit;
	exit.pid = event.pid;
	exit.start_ns = event.time_ns;
	if (WIFSIGNALED(event.wait_status)) {
		const char *name = sigabbrev_np(WTERMSIG(event.wait_status));
		exit.signal = name != nullptr ? "SIG" + std::string(name) : "SIG" + std::to_string(WTERMSIG(event.wait_status));
	} else {
		exit.status = WEXITSTATUS(event.wait_status);
	}
	sink_(exit);
	history_.ended(exit);
	processes_.erase(event.pid);
	programs_.forget(event.pid);
	throttling_.forget(event.pid);
	last_holders_.forget(event.pid);
	resolver_.forget(event.pid);
}

bool Stalls::wanted(const Loop &loop) const {
	return options_.only_tids.empty() || options_.only_tids.contains(loop.totals.tid) ||
	       std::none_of(options_.only_tids.begin(), options_.only_tids.end(), [&](std::uint32_t tid) {
		       return proc_.exists(loop.totals.pid) &&
		              access(proc_.path_of(loop.totals.pid, "task/" + std::to_string(tid)).c_str(), F_OK) == 0;
	       });
}

void Stalls::close_loop(const LoopEnd &end) {
	const auto entry = loops_.find(end.key);
	if (entry == loops_.end()) {
		return;
	}
	Loop &loop = entry->second;
	if (loop.announced) {
		loop.totals.iterations = end.iterations;
		loop.totals.busy_ns = end.busy_ns;
		loop.totals.idle_ns = end.idle_ns;
		loop.totals.longest_ns = end.longest_ns;
	}
	retire(entry);
}

std::map<LoopKey, Stalls::Loop>::iterator Stalls::retire(std::map<LoopKey, Loop>::iterator entry) {
	Loop &loop = entry->second;
	if (loop.ongoing) {
		tell_unseen_end(loop, Truncated::target_exit);
	}
	if (loop.announced) {
		finished_.push_back(loop.totals);
		if (finished_.size() > max_finished) {
			finished_.pop_front();
			left_out_++;
		}
	}
	dropped_waits_ += loop.buffer.dropped_waits();
	gil_.forget(loop.key);
	pending_loops_.erase(loop.key);
	return loops_.erase(entry);
}

std::uint64_t Stalls::dropped_waits() const {
	std::uint64_t all = dropped_waits_;
	for (const auto &[key, loop] : loops_) {
		all += loop.buffer.dropped_waits();
	}
	return all;
}

std::vector<LoopState> Stalls::current_loops() const {
	std::vector<LoopState> states = collector_.loops();
	std::erase_if(states, [&](const LoopState &state) {
		const auto loop = loops_.find(state.key);
		return loop == loops_.end() || !loop->second.announced;
	});
	return states;
}

void Stalls::finish() {
	const std::uint64_t now = monotonic_ns();
	sort_pending_loops(~0ULL); // no later look
	for (const LoopState &state : collector_.loops()) {
		const auto entry = loops_.find(state.key);
		if (entry == loops_.end() || entry->second.ignored) {
			continue;
		}
		Loop &loop = entry->second;
		watch(loop, state, now);
		const bool was_ongoing = loop.ongoing && runs_on(*loop.ongoing, state);
		// One that began after `now` was read is young, too.
		const bool young = state.iteration_start_ns == 0 || now < state.iteration_start_ns + options_.threshold_ns;
		if (!was_ongoing && (state.provisional || young)) {
			continue;
		}
		if (report_ongoing(loop, Word::last)) {
			loop.ongoing.reset();
			loop.ignored = true; // should it end now, that is no news
		}
	}
}

std::vector<LoopTotals> Stalls::end() {
	// Once more: no more was stalled than busy.
	const std::uint64_t now = monotonic_ns();
	for (const LoopState &state : collector_.loops()) {
		if (const auto entry = loops_.find(state.key); entry != loops_.end()) {
			add_up(entry->second, state, now);
		}
	}
	std::vector<LoopTotals> totals(finished_.begin(), finished_.end());
	for (auto &[key, loop] : loops_) {
		if (loop.ongoing) {
			tell_unseen_end(loop, Truncated::session_end);
		}
		if (loop.announced) {
			totals.push_back(loop.totals);
		}
	}
	return totals;
}

} // namespace loopsnoop::session

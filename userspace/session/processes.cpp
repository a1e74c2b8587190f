// SPDX-License-Identifier: Apache-2.0
#include "session/processes.h"

#include <sys/wait.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace loopsnoop::session {

namespace {

ProcessExit exit_of(const ThreadExited &event) {
	ProcessExit exit;
	exit.pid = event.pid;
	exit.start_ns = event.time_ns;
	if (WIFSIGNALED(event.wait_status)) {
		const char *name = sigabbrev_np(WTERMSIG(event.wait_status));
		exit.signal = "SIG" + (name != nullptr ? std::string(name) : std::to_string(WTERMSIG(event.wait_status)));
	} else {
		exit.status = WEXITSTATUS(event.wait_status);
	}
	return exit;
}

bool is_another(const process::ProcessStatus &status, const Process &process) {
	return process.start_ticks != 0 && status.start_time_ticks != process.start_ticks;
}

} // namespace

Process *Processes::find(std::uint32_t pid) {
	const auto entry = processes_.find(pid);
	return entry != processes_.end() ? &entry->second : nullptr;
}

Process &Processes::entry(std::uint32_t pid) {
	const auto [known, is_new] = processes_.try_emplace(pid);
	Process &process = known->second;
	if (is_new) {
		facts_.began(pid);
	}
	if (process.start_ticks == 0) {
		if (const auto status = context_.proc.status(pid)) {
			process.start_ticks = status->start_time_ticks;
		}
	}
	return process;
}

void Processes::begin(std::uint32_t pid, Asked asked, std::uint64_t now_ns) {
	if (const Process *known = find(pid)) {
		if (const auto status = context_.proc.status(pid); status && is_another(*status, *known)) {
			end_unheard(pid);
		}
	}
	Process &process = entry(pid);
	process.since_ns = now_ns;
	process.found = asked == Asked::found;
}

void Processes::expect(std::uint32_t pid, Asked asked) {
	const std::uint64_t now = context_.now_ns();
	begin(pid, asked, now);
	if (asked == Asked::found) {
		facts_.ask_rarely(pid);
	}
	facts_.throttling.tick(pid, now);
	std::optional<std::uint32_t> parent;
	if (const auto status = context_.proc.status(pid); status && processes_.contains(status->ppid)) {
		parent = status->ppid;
	}
	facts_.history.began(pid, parent, now);
}

void Processes::forget_unseen(std::uint32_t pid) {
	if (processes_.contains(pid) && !context_.proc.exists(pid)) {
		processes_.erase(pid);
		facts_.never_seen(pid);
	}
}

Process &Processes::appeared(std::uint32_t pid, std::uint64_t time_ns) {
	Process &process = entry(pid);
	if (process.since_ns == 0) {
		process.since_ns = time_ns;
	}
	return process;
}

void Processes::on(const Forked &event) {
	facts_.children.forked(event.pid, event.child, event.time_ns);
	if (event.followed) {
		const Process *parent = find(event.pid);
		begin(event.child, parent != nullptr && parent->found ? Asked::found : Asked::by_name, event.time_ns);
		processes_[event.child].from_beginning = true;
		facts_.history.began(event.child, event.pid, event.time_ns);
	}
	context_.write(ProcessFork{event.pid, event.time_ns, event.child});
}

void Processes::on(const Execed &event) {
	facts_.exec(event.pid, event.comm);
	Process &process = entry(event.pid);
	if (process.found) { // what it is now is for discovery to say
		processes_.erase(event.pid);
		facts_.left(event.pid);
	} else {
		Process same;
		same.start_ticks = process.start_ticks;
		same.since_ns = event.time_ns;
		same.from_beginning = true;
		process = std::move(same);
	}
	context_.write(ProcessExec{event.pid, event.time_ns, event.comm});
}

void Processes::on(const ThreadExited &event) {
	if (!event.process_ended) {
		return;
	}
	if (const Process *process = find(event.pid); process != nullptr && event.time_ns < process->since_ns) {
		return; // of the one that had the pid before, whose end is recorded already
	}
	end(exit_of(event));
}

void Processes::end_unheard(std::uint32_t pid) {
	if (remove_loops_) {
		remove_loops_(pid);
	}
	ProcessExit exit; // how it ended is not known
	exit.pid = pid;
	exit.start_ns = context_.now_ns();
	end(exit);
}

void Processes::end(const ProcessExit &exit) {
	context_.write(exit);
	processes_.erase(exit.pid);
	facts_.ended(exit);
}

// Twice gone, because the record may only be on its way.
void Processes::find_lost_ends() {
	constexpr std::size_t max_checked = 64;
	std::vector<std::uint32_t> gone;
	auto next = processes_.lower_bound(next_missed_pid_);
	for (std::size_t i = 0; i < std::min(max_checked, processes_.size()); i++, ++next) {
		if (next == processes_.end()) {
			next = processes_.begin();
		}
		auto &[pid, process] = *next;
		const auto status = context_.proc.status(pid);
		const bool missing = !status || is_another(*status, process) || context_.proc.has_ended(pid, *status);
		if (missing && std::exchange(process.missed, true)) {
			gone.push_back(pid);
		}
		process.missed = missing;
	}
	next_missed_pid_ = next == processes_.end() ? 0 : next->first;
	for (const std::uint32_t pid : gone) {
		end_unheard(pid);
	}
}

} // namespace loopsnoop::session

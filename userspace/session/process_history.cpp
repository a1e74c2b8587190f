// SPDX-License-Identifier: Apache-2.0
#include "session/process_history.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <set>
#include <utility>

namespace loopsnoop::session {

namespace {

std::string signal_name(int signal) {
	const char *name = sigabbrev_np(signal);
	return name != nullptr ? "SIG" + std::string(name) : "SIG" + std::to_string(signal);
}

} // namespace

void ProcessHistory::began(std::uint32_t pid, std::optional<std::uint32_t> parent, std::uint64_t now_ns) {
	if (!on_) {
		return;
	}
	ProcessLife &life = living_[pid];
	life = {};
	life.pid = pid;
	life.parent = parent;
	life.start_ns = now_ns;
	if (!parent) {
		read_names(life); // a forked one is its parent's copy until exec()
	}
}

void ProcessHistory::exec(std::uint32_t pid, const std::string &comm) {
	if (const auto life = living_.find(pid); life != living_.end()) {
		life->second.comm = comm;
		life->second.command.clear();
		read_names(life->second);
	}
}

void ProcessHistory::came_to_loop(std::uint32_t pid) {
	if (const auto life = living_.find(pid); life != living_.end()) {
		life->second.came_to_loop = true;
	}
}

void ProcessHistory::tick() {
	for (auto &[pid, life] : living_) {
		if (life.command.empty()) {
			read_names(life);
		}
	}
}

void ProcessHistory::read_names(ProcessLife &life) {
	constexpr std::size_t max_bytes = 256;
	std::string command;
	for (const std::string &argument : proc_.cmdline(life.pid)) {
		command += (command.empty() ? "" : " ") + argument;
	}
	command.resize(std::min(command.size(), max_bytes));
	life.command = std::move(command);
	if (std::string comm = proc_.comm(life.pid); !comm.empty()) {
		life.comm = std::move(comm);
	}
}

void ProcessHistory::did(std::uint32_t pid, std::string doing, std::optional<SourceFrame> culprit) {
	if (const auto life = living_.find(pid); life != living_.end()) {
		life->second.doing = std::move(doing);
		life->second.culprit = std::move(culprit);
	}
}

void ProcessHistory::read_activity(ProcessLife &life) {
	const auto activity = collector_.activity(life.pid);
	if (!activity) {
		life.accepted = collector_.counts_accepts() ? std::optional<std::uint64_t>(0) : std::nullopt;
		return;
	}
	life.accepted = activity->accepted;
	for (const ProcessActivity::Write &write : activity->writes) {
		life.writes.push_back({write.path, write.time_ns});
	}
	if (activity->signal && life.ended) {
		life.ended_by =
		    ProcessLife::EndedBy{signal_name(activity->signal->signal), activity->signal->sender, activity->signal->sender_comm};
		if (life.doing.empty() && activity->signal->was_idle) {
			life.doing = "idle in its loop";
		}
	}
}

void ProcessHistory::ended(const ProcessExit &exit) {
	const auto known = living_.find(exit.pid);
	if (known == living_.end()) {
		return;
	}
	ProcessLife life = std::move(known->second);
	living_.erase(known);
	life.ended = true;
	life.lived_ns = exit.start_ns > life.start_ns ? exit.start_ns - life.start_ns : 0;
	life.status = exit.status;
	life.signal = exit.signal;
	read_activity(life);
	collector_.forget_activity(exit.pid);
	if (gone_.size() >= max_lives) {
		gone_.erase(gone_.begin());
	}
	gone_.push_back(std::move(life));
}

std::optional<ProcessActivity::SignalSent> ProcessHistory::signal_of(std::uint32_t pid) const {
	if (!living_.contains(pid)) {
		return std::nullopt;
	}
	const auto activity = collector_.activity(pid);
	return activity ? activity->signal : std::nullopt;
}

std::optional<KilledWorker> ProcessHistory::killed_child(std::uint32_t pid, std::uint64_t since_ns) const {
	const auto last = std::find_if(gone_.rbegin(), gone_.rend(), [&](const ProcessLife &life) {
		return life.parent == pid && life.signal && life.start_ns + life.lived_ns >= since_ns;
	});
	return last == gone_.rend() ? std::nullopt : std::optional(KilledWorker{last->pid, *last->signal});
}

bool ProcessHistory::has_children(std::uint32_t pid) const {
	return std::ranges::any_of(living_, [&](const auto &entry) { return entry.second.parent == pid; });
}

std::vector<ProcessLife> ProcessHistory::all(std::uint64_t now_ns) {
	std::vector<ProcessLife> lives = gone_;
	for (auto [pid, life] : living_) {
		life.lived_ns = now_ns > life.start_ns ? now_ns - life.start_ns : 0;
		read_activity(life);
		lives.push_back(std::move(life));
	}
	// Of those that were there all the time only the ones that forked others belong to the story.
	std::set<std::uint32_t> parents;
	for (const ProcessLife &life : lives) {
		parents.insert(life.parent.value_or(0));
	}
	std::erase_if(lives, [&](const ProcessLife &life) { return !life.parent && !parents.contains(life.pid); });
	std::ranges::stable_sort(lives, {}, &ProcessLife::start_ns);
	return lives;
}

} // namespace loopsnoop::session

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

void Lives::began(std::uint32_t pid, std::optional<std::uint32_t> parent, std::uint64_t now_ns) {
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

void Lives::exec(std::uint32_t pid, const std::string &comm) {
	if (const auto life = living_.find(pid); life != living_.end()) {
		life->second.comm = comm;
		life->second.command.clear();
		read_names(life->second);
	}
}

void Lives::came_to_loop(std::uint32_t pid) {
	if (const auto life = living_.find(pid); life != living_.end()) {
		life->second.came_to_loop = true;
	}
}

void Lives::tick() {
	for (auto &[pid, life] : living_) {
		if (life.command.empty()) {
			read_names(life);
		}
	}
}

void Lives::read_names(ProcessLife &life) {
	constexpr std::size_t most_bytes = 256;
	std::string command;
	for (const std::string &argument : proc_.cmdline(life.pid)) {
		command += (command.empty() ? "" : " ") + argument;
	}
	command.resize(std::min(command.size(), most_bytes));
	life.command = std::move(command);
	if (std::string comm = proc_.comm(life.pid); !comm.empty()) {
		life.comm = std::move(comm);
	}
}

void Lives::did(std::uint32_t pid, std::string doing, std::optional<SourceFrame> culprit) {
	if (const auto life = living_.find(pid); life != living_.end()) {
		life->second.doing = std::move(doing);
		life->second.culprit = std::move(culprit);
	}
}

void Lives::read_deeds(ProcessLife &life) {
	const auto deeds = collector_.deeds(life.pid);
	if (!deeds) {
		life.accepted = collector_.counts_accepts() ? std::optional<std::uint64_t>(0) : std::nullopt;
		return;
	}
	life.accepted = deeds->accepted;
	for (const Deeds::Write &write : deeds->writes) {
		life.writes.push_back({write.path, write.time_ns});
	}
	if (deeds->signal && life.ended) {
		life.ended_by =
		    ProcessLife::EndedBy{signal_name(deeds->signal->signal), deeds->signal->sender, deeds->signal->sender_comm};
		if (life.doing.empty() && deeds->signal->was_idle) {
			life.doing = "idle in its loop";
		}
	}
}

void Lives::ended(const ProcessExit &exit) {
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
	read_deeds(life);
	collector_.forget_deeds(exit.pid);
	if (gone_.size() >= most) {
		gone_.erase(gone_.begin());
	}
	gone_.push_back(std::move(life));
}

std::optional<Deeds::SignalSent> Lives::signal_of(std::uint32_t pid) const {
	if (!living_.contains(pid)) {
		return std::nullopt;
	}
	const auto deeds = collector_.deeds(pid);
	return deeds ? deeds->signal : std::nullopt;
}

bool Lives::has_children(std::uint32_t pid) const {
	return std::ranges::any_of(living_, [&](const auto &entry) { return entry.second.parent == pid; });
}

std::vector<ProcessLife> Lives::all(std::uint64_t now_ns) {
	std::vector<ProcessLife> lives = gone_;
	for (auto [pid, life] : living_) {
		life.lived_ns = now_ns > life.start_ns ? now_ns - life.start_ns : 0;
		read_deeds(life);
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

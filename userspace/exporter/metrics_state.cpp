// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics_state.h"

#include <algorithm>
#include <variant>

#include "exporter/label_value.h"

namespace loopsnoop::exporter {

void MetricsState::write(const Record &record) {
	if (const auto *found = std::get_if<LoopFound>(&record)) {
		const Id id{found->pid, found->tid};
		const bool detailed = loops_.contains(id) ? loops_.at(id).detailed : has_room_for_loop(found->pid);
		Loop &loop = loops_[id];
		loop.comm = found->comm;
		loop.service = found->name.service.empty() ? found->comm : found->name.service;
		loop.placement = found->placement;
		loop.detailed = detailed;
	} else if (const auto *stall = std::get_if<Stall>(&record)) {
		stall->ongoing ? note(*stall) : count(*stall);
	} else if (const auto *standstill = std::get_if<Standstill>(&record)) {
		standstills_.write(*standstill);
	} else if (const auto *exit = std::get_if<ProcessExit>(&record)) {
		std::erase_if(loops_, [&](const auto &entry) { return entry.first.first == exit->pid; });
	}
}

Culprit MetricsState::culprit_of(const Stall &stall) {
	if (!stall.culprit) {
		return {"", "", "", stall.cause};
	}
	return {label_value(stall.culprit->function), label_value(stall.culprit->file),
	        stall.culprit->line ? std::to_string(*stall.culprit->line) : "", stall.cause};
}

void MetricsState::note(const Stall &stall) {
	if (const auto entry = loops_.find({stall.pid, stall.tid}); entry != loops_.end()) {
		entry->second.ongoing = culprit_of(stall);
		entry->second.ongoing_start_ns = stall.start_ns;
	}
}

bool MetricsState::has_room_for_loop(std::uint32_t pid) const {
	const auto of_process = std::count_if(loops_.begin(), loops_.end(),
	                                      [&](const auto &entry) { return entry.second.detailed && entry.first.first == pid; });
	const auto of_all = std::count_if(loops_.begin(), loops_.end(), [](const auto &entry) { return entry.second.detailed; });
	return static_cast<std::size_t>(of_process) < max_detailed_loops_of_process &&
	       static_cast<std::size_t>(of_all) < max_detailed_loops;
}

bool MetricsState::has_room_for_culprit(std::uint32_t pid, const Loop &loop) const {
	std::size_t of_process = 0;
	std::size_t of_all = 0;
	for (const auto &[id, each] : loops_) {
		of_process += id.first == pid ? each.culprits.size() : 0;
		of_all += each.culprits.size();
	}
	return loop.culprits.size() < max_culprits_of_loop && of_process < max_culprits_of_process && of_all < max_culprits;
}

void MetricsState::count_culprit(std::uint32_t pid, Loop &loop, Culprit culprit) {
	if (!loop.culprits.contains(culprit) && !has_room_for_culprit(pid, loop)) {
		// One series for all of them; their causes are in loopsnoop_stalls_total.
		culprit = {"other", "", "", Cause::other};
		culprits_withheld_++;
	}
	loop.culprits[culprit]++;
}

void MetricsState::count(const Stall &stall) {
	const auto entry = loops_.find({stall.pid, stall.tid});
	if (entry == loops_.end()) {
		return; // its loop was never announced, or is gone
	}
	Loop &loop = entry->second;
	loop.stalls.at(static_cast<std::size_t>(stall.cause))++;
	for (std::size_t i = 0; i < cause_count; i++) {
		loop.stalled.at(i).ns += stall.breakdown.at(i).ns;
	}
	loop.ongoing.reset();
	recent_.push_front({stall.started_at, stall.duration_ns, stall.pid, stall.tid, label_value(loop.service), culprit_of(stall)});
	if (recent_.size() > max_recent) {
		recent_.pop_back();
	}
	if (stall.culprit) {
		count_culprit(stall.pid, loop, culprit_of(stall));
	}
}

} // namespace loopsnoop::exporter

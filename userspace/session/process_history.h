// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "collector/collector.h"
#include "model/event.h"
#include "model/session.h"
#include "process/procfs.h"

namespace loopsnoop::session {

// Records what becomes of the processes of a session that follows children: how long each lived, whether it came to serve, how it
// ended. Bounded: of more than `max_lives` processes the oldest that have ended are left out. One thread calls.
class ProcessHistory {
public:
	static constexpr std::size_t max_lives = 1000;

	ProcessHistory(collector::Collector &collector, process::ProcFs proc, bool on)
	    : collector_(collector), proc_(std::move(proc)), on_(on) {}

	[[nodiscard]] bool on() const { return on_; }
	void began(std::uint32_t pid, std::optional<std::uint32_t> parent, std::uint64_t now_ns);
	void exec(std::uint32_t pid, const std::string &comm);
	void came_to_loop(std::uint32_t pid);
	// Reads what was not there to be read when it began.
	void tick();
	// What its main thread did when it ended, or when the signal came that ended it.
	void did(std::uint32_t pid, std::string doing, std::optional<SourceFrame> culprit);
	void ended(const ProcessExit &exit);
	// It ended before it was followed: it was never part of the session.
	void forget(std::uint32_t pid) { living_.erase(pid); }
	// The moment at which what a process does is of interest: when the signal came that ended it; nullopt: none came.
	[[nodiscard]] std::optional<ProcessActivity::SignalSent> signal_of(std::uint32_t pid) const;
	// The last child of this process that a signal ended at that time or later; nullopt: none, or children are not followed.
	[[nodiscard]] std::optional<KilledWorker> killed_child(std::uint32_t pid, std::uint64_t since_ns) const;
	// It has children that are followed, and live.
	[[nodiscard]] bool has_children(std::uint32_t pid) const;

	// All, oldest first; those that live still, as they are now.
	[[nodiscard]] std::vector<ProcessLife> all(std::uint64_t now_ns);

private:
	void read_activity(ProcessLife &life);
	void read_names(ProcessLife &life);

	collector::Collector &collector_;
	process::ProcFs proc_;
	bool on_;
	std::map<std::uint32_t, ProcessLife> living_;
	std::vector<ProcessLife> gone_;
};

} // namespace loopsnoop::session

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "process/procfs.h"

namespace loopsnoop::inspect {

// How long CPU limits (cgroup cpu.max, cfs_quota) held followed processes back, so that a stall shows it apart from other
// reasons for waiting on the run queue. The counters only ever say "until now": they are read again and again, seldom while they
// stand still. One thread.
class ThrottleWatch {
public:
	explicit ThrottleWatch(process::ProcFs proc) : proc_(std::move(proc)) {}

	// To be called a few times a second for each followed process.
	void tick(std::uint32_t pid, std::uint64_t now_ns);
	// How far the counters of the process's cgroup moved from `start_ns` until now: an upper bound, by what they moved between
	// the last reading before the start and the start itself. nullopt: no such reading, or no CPU controller. `max_ns`: no more
	// than that is of interest, as the thread waited no longer for a CPU; of little the counters are not read anew for each stall
	// of many.
	[[nodiscard]] std::optional<std::uint64_t> since(std::uint32_t pid, std::uint64_t start_ns, std::uint64_t now_ns,
	                                                 std::uint64_t max_ns);
	// One of perhaps hundreds: as long as the counters stand still they are read every ten seconds only.
	void seldom(std::uint32_t pid) { processes_[pid].seldom = true; }
	void forget(std::uint32_t pid) { processes_.erase(pid); }

private:
	struct Reading {
		std::uint64_t time_ns = 0; // this value was read first
		std::uint64_t throttled_ns = 0;
	};
	struct Process {
		std::deque<Reading> readings; // one for each value; oldest first
		std::uint64_t next_ns = 0;
		std::uint64_t read_ns = 0; // the counters were last read
		bool readable = false;
		bool seldom = false;
	};
	// One for each time the quota ran out, ten a second with the usual period: half a minute with all of them.
	static constexpr std::size_t max_readings = 300;

	static void thin_out(std::deque<Reading> &readings);
	void read(std::uint32_t pid, Process &process, std::uint64_t now_ns);

	process::ProcFs proc_;
	std::map<std::uint32_t, Process> processes_;
};

} // namespace loopsnoop::inspect

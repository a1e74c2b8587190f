// SPDX-License-Identifier: Apache-2.0
#include "inspect/throttle_watch.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "process/cgroup_cpu.h"

namespace loopsnoop::inspect {

namespace {

// A reading costs some 100 us, mostly for the mounts: often only where a limit is at work.
constexpr std::uint64_t still_pause_ns = 1'000'000'000;
constexpr std::uint64_t seldom_still_pause_ns = 10'000'000'000;
constexpr std::uint64_t lively_ns = 10'000'000'000;
// For a stall that waited for a CPU for less than little_ns, a reading is fresh enough when it is no older than fresh_ns.
constexpr std::uint64_t little_ns = 1'000'000;
constexpr std::uint64_t fresh_ns = 50'000'000;

} // namespace

// Every second one of the older half goes: what is long ago needs no such precision, but a hang may have begun then.
void ThrottleWatch::thin_out(std::deque<Reading> &readings) {
	std::deque<Reading> kept;
	for (std::size_t i = 0; i < readings.size(); i++) {
		if (i % 2 == 0 || i > readings.size() / 2) {
			kept.push_back(readings[i]);
		}
	}
	readings = std::move(kept);
}

void ThrottleWatch::read(std::uint32_t pid, Process &process, std::uint64_t now_ns) {
	const auto now = process::cpu_throttling(proc_, pid);
	process.read_ns = now_ns;
	process.readable = now.has_value();
	// Less than before: it was moved to another cgroup, whose counter says nothing of the time until now.
	if (!now || (!process.readings.empty() && now->throttled_ns < process.readings.back().throttled_ns)) {
		process.readings.clear();
	}
	if (now && (process.readings.empty() || now->throttled_ns != process.readings.back().throttled_ns)) {
		process.readings.push_back({now_ns, now->throttled_ns});
		if (process.readings.size() > max_readings) {
			thin_out(process.readings);
		}
	}
	const bool lively = process.readings.size() > 1 && now_ns - process.readings.back().time_ns < lively_ns;
	process.next_ns = lively ? now_ns : now_ns + (process.seldom ? seldom_still_pause_ns : still_pause_ns);
}

void ThrottleWatch::tick(std::uint32_t pid, std::uint64_t now_ns) {
	Process &process = processes_[pid];
	if (now_ns >= process.next_ns) {
		read(pid, process, now_ns);
	}
}

std::optional<std::uint64_t> ThrottleWatch::since(std::uint32_t pid, std::uint64_t start_ns, std::uint64_t now_ns,
                                                  std::uint64_t max_ns) {
	Process &process = processes_[pid];
	if (max_ns >= little_ns || now_ns - process.read_ns >= fresh_ns) {
		read(pid, process, now_ns);
	}
	const auto later = std::find_if(process.readings.begin(), process.readings.end(),
	                                [&](const Reading &reading) { return reading.time_ns > start_ns; });
	if (!process.readable || later == process.readings.begin()) {
		return std::nullopt;
	}
	return std::min(process.readings.back().throttled_ns - std::prev(later)->throttled_ns, max_ns);
}

} // namespace loopsnoop::inspect

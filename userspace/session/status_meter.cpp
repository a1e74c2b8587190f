// SPDX-License-Identifier: Apache-2.0
#include "session/status_meter.h"

#include <algorithm>
#include <cstddef>
#include <string>

#include "base/pulse.h"
#include "foreign/access.h"

namespace loopsnoop::session {

output::Status StatusMeter::read(SessionParts &parts, std::uint64_t lost) {
	output::Status status;
	status.now_ns = parts.context.now_ns();
	std::uint64_t iterations = 0;
	std::uint64_t busy = 0;
	const auto loops = parts.loops.current();
	for (const LoopState &loop : loops) {
		iterations += loop.iterations;
		busy += loop.busy_ns;
		if (loop.iteration_start_ns != 0 && status.now_ns > loop.iteration_start_ns) {
			busy += status.now_ns - loop.iteration_start_ns;
		}
		if (!loop.provisional) {
			status.loops++;
		}
		status.pid = loop.pid;
	}
	if (status.pid != 0) {
		const std::string &service = parts.facts.programs.name(status.pid).service;
		status.comm = service.empty() ? parts.facts.programs.comm(status.pid) : service;
	}
	const double seconds = last_ns_ != 0 ? static_cast<double>(status.now_ns - last_ns_) / 1e9 : 0;
	if (seconds > 0 && iterations >= iterations_ && busy >= busy_) {
		status.iterations_per_s = static_cast<double>(iterations - iterations_) / seconds;
		const auto threads = static_cast<double>(std::max<std::size_t>(loops.size(), 1));
		status.busy = std::min(1.0, static_cast<double>(busy - busy_) / 1e9 / seconds / threads);
	}
	last_ns_ = status.now_ns;
	iterations_ = iterations;
	busy_ = busy;
	status.stalls = parts.totals.stalls();
	status.stalled_ns = parts.totals.stalled_ns();
	status.stuck_ns = parts.ongoing.oldest_ns();
	status.standing_ns = parts.standstills.oldest_ns();
	status.lost = lost;
	for (const foreign::Unanswered &place : foreign::access().unanswered()) {
		status.troubles.push_back(place.sentence());
	}
	for (const Pulse::Reading &thread : Pulse::read_all()) {
		if (thread.times > 0) {
			status.troubles.push_back("loopsnoop itself stood still for two seconds or more: its thread " + thread.thread + ", " +
			                          std::to_string(thread.times) + " times");
		}
	}
	return status;
}

} // namespace loopsnoop::session

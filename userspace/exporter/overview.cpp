// SPDX-License-Identifier: Apache-2.0
#include "exporter/overview.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/clock.h"
#include "exporter/label_value.h"
#include "exporter/metrics_state.h"

namespace loopsnoop::exporter {

constexpr std::size_t short_id = 12; // of a container's id, as docker ps and crictl ps show it

Overview MetricsState::overview(std::uint64_t now_ns, const std::vector<LoopState> &states, const LossCounts &lost) const {
	Overview out;
	out.version = version_;
	const std::uint64_t now_real_ns = realtime_ns();
	out.now = rfc3339_utc(now_real_ns);
	out.threshold_ns = threshold_ns_;
	out.hang_after_ns = hang_after_ns_;
	out.lost = lost;
	for (const LoopState &state : states) {
		const auto entry = loops_.find({state.pid, state.tid});
		if (entry == loops_.end()) {
			continue; // not taken for a loop (yet)
		}
		const Loop &loop = entry->second;
		const std::uint64_t age =
		    state.iteration_start_ns != 0 && now_ns > state.iteration_start_ns ? now_ns - state.iteration_start_ns : 0;
		Overview::Loop row;
		row.pid = state.pid;
		row.tid = state.tid;
		row.comm = label_value(loop.service);
		row.place = label_value(loop.placement.unit.empty() ? loop.placement.container.substr(0, short_id) : loop.placement.unit);
		row.iterations = state.iterations;
		row.busy_ns = state.busy_ns + age;
		row.idle_ns = state.idle_total_ns +
		              (age == 0 && state.idle_since_ns != 0 && now_ns > state.idle_since_ns ? now_ns - state.idle_since_ns : 0);
		row.stuck_ns = age >= hang_after_ns_ ? age : 0;
		if (row.stuck_ns != 0) {
			row.stuck = loop.stuck_in(state);
			row.stuck_since = rfc3339_utc(now_real_ns - age);
		}
		for (std::size_t i = 0; i < cause_count; i++) {
			row.stalls += loop.stalls.at(i);
			row.stalled_ns += loop.stalled.at(i).ns;
			out.causes.at(i).stalls += loop.stalls.at(i);
			out.causes.at(i).ns += loop.stalled.at(i).ns;
		}
		if (const auto standing = standstills_.ongoing({state.pid, state.tid})) {
			Overview::Standing one{state.pid, state.tid, row.comm, row.place, standing->kind, 0, {}, {}};
			one.for_ns = now_ns - std::min(now_ns, standing->start_ns);
			one.since = rfc3339_utc(now_real_ns - one.for_ns);
			if (const auto &at = standing->culprit) {
				one.where = {label_value(at->function), label_value(at->file), at->line ? std::to_string(*at->line) : "",
				             Cause::other};
			}
			out.standing.push_back(std::move(one));
		}
		out.loops.push_back(std::move(row));
	}
	std::ranges::sort(out.standing, std::greater(), &Overview::Standing::for_ns);
	std::sort(out.loops.begin(), out.loops.end(), [](const Overview::Loop &a, const Overview::Loop &b) {
		return a.stuck_ns != b.stuck_ns ? a.stuck_ns > b.stuck_ns : std::tie(a.pid, a.tid) < std::tie(b.pid, b.tid);
	});
	out.recent.assign(recent_.begin(), recent_.end());
	out.recent_bound = max_recent;
	return out;
}

} // namespace loopsnoop::exporter

// SPDX-License-Identifier: Apache-2.0
#include "exporter/overview.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "exporter/label_value.h"
#include "exporter/metrics_state.h"
#include "summary/standstill_summary.h"

namespace loopsnoop::exporter {

namespace {

constexpr std::size_t short_id = 12; // of a container's id, as docker ps and crictl ps show it

Culprit place_of(const std::optional<SourceFrame> &line) {
	if (!line) {
		return {};
	}
	return {label_value(line->function), label_value(line->file), line->line ? std::to_string(*line->line) : "", Cause::other};
}

ProcessGauges with_label_values(ProcessGauges gauges) {
	for (TaskPlace &place : gauges.places) {
		place.line.function = label_value(place.line.function);
		place.line.file = label_value(place.line.file);
	}
	for (auto *remotes : {&gauges.inbound_from, &gauges.outbound_to}) {
		remotes->resize(std::min(remotes->size(), ShownRemotes::max_remotes));
		for (RemoteCount &one : *remotes) {
			one.remote = label_value(one.remote);
		}
	}
	return gauges;
}

void add(std::optional<std::uint64_t> &sum, const std::optional<std::uint64_t> &more) {
	sum = more ? std::optional(sum.value_or(0) + *more) : sum;
}

// A process with several loops has tasks in each; all else is the process's, and known with one of them at least.
void merge(ProcessGauges &into, ProcessGauges more) {
	add(into.tasks, more.tasks);
	into.places.insert(into.places.end(), std::make_move_iterator(more.places.begin()),
	                   std::make_move_iterator(more.places.end()));
	std::ranges::stable_sort(into.places, std::greater(), &TaskPlace::count);
	into.places.resize(std::min(into.places.size(), StandstillMetrics::max_places));
	if (!into.inbound) {
		into.inbound = more.inbound;
		into.outbound = more.outbound;
		into.inbound_from = std::move(more.inbound_from);
		into.outbound_to = std::move(more.outbound_to);
	}
	for (const auto member : {&ProcessGauges::resident_bytes, &ProcessGauges::descriptors, &ProcessGauges::threads}) {
		into.*member = into.*member ? into.*member : more.*member;
	}
}

void add_filling(std::vector<Overview::Filling> &all, const Overview::Loop &loop, const StandstillMetrics::Filling &known) {
	ProcessGauges first = with_label_values(known.first);
	ProcessGauges last = with_label_values(known.last);
	const auto process = std::ranges::find(all, loop.pid, &Overview::Filling::pid);
	if (process == all.end()) {
		all.push_back({loop.pid, loop.tid, loop.comm, loop.place, std::move(first), std::move(last)});
		return;
	}
	merge(process->first, std::move(first));
	merge(process->last, std::move(last));
}

} // namespace

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
			one.where = place_of(standing->culprit);
			one.clients = summary::format_clients(standing->clients);
			out.standing.push_back(std::move(one));
		}
		out.loops.push_back(std::move(row));
	}
	std::ranges::sort(out.standing, std::greater(), &Overview::Standing::for_ns);
	std::sort(out.loops.begin(), out.loops.end(), [](const Overview::Loop &a, const Overview::Loop &b) {
		return a.stuck_ns != b.stuck_ns ? a.stuck_ns > b.stuck_ns : std::tie(a.pid, a.tid) < std::tie(b.pid, b.tid);
	});
	for (const Overview::Loop &row : out.loops) {
		if (const auto known = standstills_.filling({row.pid, row.tid})) {
			add_filling(out.filling, row, *known);
		}
	}
	for (const Standstill &over : standstills_.recent()) {
		Overview::Standing one{over.pid,
		                       over.tid,
		                       label_value(over.name.service.empty() ? over.comm : over.name.service),
		                       {},
		                       over.kind,
		                       over.duration_ns,
		                       over.started_at,
		                       place_of(over.culprit)};
		one.clients = summary::format_clients(over.clients, true);
		out.stood.push_back(std::move(one));
	}
	out.recent.assign(recent_.begin(), recent_.end());
	out.recent_bound = max_recent;
	return out;
}

} // namespace loopsnoop::exporter

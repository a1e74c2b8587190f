// SPDX-License-Identifier: Apache-2.0
#include "exporter/book.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string_view>
#include <type_traits>
#include <variant>

#include "exporter/label_value.h"

namespace loopsnoop::exporter {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr double ns_per_s = 1e9;

double seconds(std::uint64_t ns) { return static_cast<double>(ns) / ns_per_s; }

ClientMetric labelled(const std::vector<ClientMetric::Label> &base, std::initializer_list<ClientMetric::Label> more = {}) {
	ClientMetric metric;
	metric.label = base;
	metric.label.insert(metric.label.end(), more.begin(), more.end());
	return metric;
}

ClientMetric counter(ClientMetric metric, double value) {
	metric.counter.value = value;
	return metric;
}

ClientMetric gauge(ClientMetric metric, double value) {
	metric.gauge.value = value;
	return metric;
}

ClientMetric histogram(ClientMetric metric, const Histogram &counts, std::uint64_t sum_ns) {
	std::uint64_t sum = 0;
	double bound = 1e-6;
	for (std::size_t i = 0; i + 1 < counts.size(); i++) {
		sum += counts.at(i);
		metric.histogram.bucket.push_back({sum, bound});
		bound *= 2;
	}
	sum += counts.back();
	metric.histogram.bucket.push_back({sum, INFINITY});
	metric.histogram.sample_count = sum;
	metric.histogram.sample_sum = seconds(sum_ns);
	return metric;
}

// The running iteration so far, by cause; all zero while the loop is idle.
Breakdown running(const LoopState &loop, std::uint64_t now_ns) {
	Breakdown parts{};
	if (loop.iteration_start_ns == 0 || now_ns <= loop.iteration_start_ns) {
		return parts;
	}
	parts = loop.account;
	if (loop.off_since_ns != 0 && loop.off_cause && now_ns > loop.off_since_ns) {
		const std::uint64_t since = std::max(loop.off_since_ns, loop.iteration_start_ns);
		const std::uint64_t woken = loop.woken_at_ns > since ? std::min(loop.woken_at_ns, now_ns) : now_ns;
		part_of(parts, *loop.off_cause).ns += woken - since;
		part_of(parts, Cause::runqueue).ns += now_ns - woken;
	}
	std::uint64_t off = 0;
	for (const CausePart &part : parts) {
		off += part.ns;
	}
	const std::uint64_t age = now_ns - loop.iteration_start_ns;
	part_of(parts, Cause::cpu).ns += age > off ? age - off : 0;
	return parts;
}

ClientMetric of_culprit(const std::vector<ClientMetric::Label> &base, const Culprit &culprit) {
	const auto &[function, file, line, cause] = culprit;
	return labelled(base, {{"function", function}, {"file", file}, {"line", line}, {"cause", std::string(name_of(cause))}});
}

struct Families {
	MetricFamily iterations{
	    "loopsnoop_loop_iterations_total", "Iterations of the event loop that have ended.", MetricType::Counter, {}};
	MetricFamily iteration_times{"loopsnoop_loop_iteration_seconds", "How long iterations take.", MetricType::Histogram, {}};
	MetricFamily run_delays{
	    "loopsnoop_loop_run_delay_seconds", "From made runnable out of the poll call to running.", MetricType::Histogram, {}};
	MetricFamily busy{"loopsnoop_loop_busy_seconds_total", "Time in iterations, by what it went to.", MetricType::Counter, {}};
	MetricFamily idle{"loopsnoop_loop_idle_seconds_total", "Time in the loop's own poll call.", MetricType::Counter, {}};
	MetricFamily stalls{
	    "loopsnoop_stalls_total", "Iterations at least as long as the threshold that have ended.", MetricType::Counter, {}};
	MetricFamily stalled{
	    "loopsnoop_stall_seconds_total", "Time in stalls, by what it went to; grows while one runs.", MetricType::Counter, {}};
	MetricFamily ongoing{
	    "loopsnoop_stall_ongoing_seconds", "Age of the stall that runs now, 0 when there is none.", MetricType::Gauge, {}};
	MetricFamily ongoing_culprits{"loopsnoop_stall_ongoing_culprit_seconds",
	                              "Age of the stall that runs now, by the application's line; only once it has been looked at.",
	                              MetricType::Gauge,
	                              {}};
	MetricFamily culprits{
	    "loopsnoop_stall_culprit_total", "Stalls that have ended, by the application's line.", MetricType::Counter, {}};
	MetricFamily lost{"loopsnoop_lost_total", "What could not be recorded, by reason.", MetricType::Counter, {}};
	MetricFamily build{"loopsnoop_build_info", "The version of this exporter.", MetricType::Gauge, {}};
};

} // namespace

void Book::write(const Record &record) {
	if (const auto *found = std::get_if<LoopFound>(&record)) {
		Loop &loop = loops_[{found->pid, found->tid}];
		loop.comm = found->comm;
		loop.placement = found->placement;
	} else if (const auto *stall = std::get_if<Stall>(&record)) {
		stall->ongoing ? note(*stall) : count(*stall);
	} else if (const auto *exit = std::get_if<ProcessExit>(&record)) {
		std::erase_if(loops_, [&](const auto &entry) { return entry.first.first == exit->pid; });
	}
}

Culprit Book::culprit_of(const Stall &stall) {
	if (!stall.culprit) {
		return {"", "", "", stall.cause};
	}
	return {label_value(stall.culprit->function), label_value(stall.culprit->file),
	        stall.culprit->line ? std::to_string(*stall.culprit->line) : "", stall.cause};
}

void Book::note(const Stall &stall) {
	if (const auto entry = loops_.find({stall.pid, stall.tid}); entry != loops_.end()) {
		entry->second.ongoing = culprit_of(stall);
		entry->second.ongoing_start_ns = stall.start_ns;
	}
}

std::size_t Book::culprits_of(std::uint32_t pid) const {
	std::size_t all = 0;
	for (const auto &[id, loop] : loops_) {
		all += id.first == pid ? loop.culprits.size() : 0;
	}
	return all;
}

void Book::count(const Stall &stall) {
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
	recent_.push_front({stall.started_at, stall.duration_ns, stall.pid, stall.tid, label_value(loop.comm), culprit_of(stall)});
	if (recent_.size() > most_recent) {
		recent_.pop_back();
	}
	if (!stall.culprit) {
		return;
	}
	Culprit culprit = culprit_of(stall);
	if (!loop.culprits.contains(culprit) && culprits_of(stall.pid) >= most_culprits) {
		culprit = {"other", "", "", stall.cause};
	}
	loop.culprits[culprit]++;
}

std::vector<MetricFamily> Book::families(std::uint64_t now_ns, const std::vector<LoopState> &states, const LossCounts &lost) {
	Families out;
	std::set<Id> alive;
	for (const LoopState &state : states) {
		const Id id{state.pid, state.tid};
		alive.insert(id);
		const auto entry = loops_.find(id);
		if (entry == loops_.end()) {
			continue; // not taken for a loop (yet)
		}
		Loop &loop = entry->second;
		std::vector<ClientMetric::Label> base{
		    {"pid", std::to_string(state.pid)}, {"comm", label_value(loop.comm)}, {"tid", std::to_string(state.tid)}};
		// To Prometheus an empty label and none are the same.
		if (!loop.placement.container.empty()) {
			base.push_back({"container", label_value(loop.placement.container)});
		}
		if (!loop.placement.unit.empty()) {
			base.push_back({"unit", label_value(loop.placement.unit)});
		}
		const Breakdown now = running(state, now_ns);
		const std::uint64_t age =
		    state.iteration_start_ns != 0 && now_ns > state.iteration_start_ns ? now_ns - state.iteration_start_ns : 0;
		const bool stuck = age >= threshold_ns_;
		out.iterations.metric.push_back(counter(labelled(base), static_cast<double>(state.iterations)));
		out.iteration_times.metric.push_back(histogram(labelled(base), state.iteration_times, state.busy_ns));
		out.run_delays.metric.push_back(histogram(labelled(base), state.poll_delays, state.poll_delay_ns));
		// Woken, and not run since: what has begun there is an iteration, even if the kernel's table does not say so yet.
		const std::uint64_t idle_end = state.woken_at_ns > state.idle_since_ns ? std::min(state.woken_at_ns, now_ns) : now_ns;
		const std::uint64_t idle =
		    state.idle_total_ns +
		    (state.idle_since_ns != 0 && idle_end > state.idle_since_ns ? idle_end - state.idle_since_ns : 0);
		loop.idle_shown = std::max(loop.idle_shown, seconds(idle));
		out.idle.metric.push_back(counter(labelled(base), loop.idle_shown));
		out.ongoing.metric.push_back(gauge(labelled(base), stuck ? seconds(age) : 0));
		if (const auto culprit = loop.stuck_in(state); stuck && culprit) {
			out.ongoing_culprits.metric.push_back(gauge(of_culprit(base, *culprit), seconds(age)));
		}
		for (std::size_t i = 0; i < cause_count; i++) {
			const std::string cause(cause_texts.at(i).name);
			// A wait whose cause is put right when it ends, or a wake-up that turned out none, must not make a counter go down.
			double &busy = loop.busy_shown.at(i);
			busy = std::max(busy, seconds(state.total.at(i).ns + now.at(i).ns));
			out.busy.metric.push_back(counter(labelled(base, {{"cause", cause}}), busy));
			double &stalled = loop.stalled_shown.at(i);
			stalled = std::max(stalled, seconds(loop.stalled.at(i).ns + (stuck ? now.at(i).ns : 0)));
			out.stalled.metric.push_back(counter(labelled(base, {{"cause", cause}}), stalled));
			out.stalls.metric.push_back(counter(labelled(base, {{"cause", cause}}), static_cast<double>(loop.stalls.at(i))));
		}
		for (const auto &[culprit, count] : loop.culprits) {
			out.culprits.metric.push_back(counter(of_culprit(base, culprit), static_cast<double>(count)));
		}
	}
	std::erase_if(loops_, [&](const auto &entry) { return !alive.contains(entry.first); });
	for (std::size_t i = 0; i < loss_count; i++) {
		out.lost.metric.push_back(
		    counter(labelled({}, {{"reason", std::string(loss_texts.at(i).name)}}), static_cast<double>(lost.at(i))));
	}
	out.build.metric.push_back(gauge(labelled({}, {{"version", version_}}), 1));
	std::vector<MetricFamily> all;
	for (MetricFamily *family : {&out.iterations, &out.iteration_times, &out.run_delays, &out.busy, &out.idle, &out.stalls,
	                             &out.stalled, &out.ongoing, &out.ongoing_culprits, &out.culprits, &out.lost, &out.build}) {
		all.push_back(std::move(*family)); // tens of thousands of series on a busy host
	}
	std::erase_if(all, [](const MetricFamily &family) { return family.metric.empty(); });
	return all;
}

} // namespace loopsnoop::exporter

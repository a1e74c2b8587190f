// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics_state.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <set>
#include <string_view>

#include "exporter/label_value.h"
#include "exporter/seconds.h"

namespace loopsnoop::exporter {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

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

// Edges that a histogram has on the page, as exponents of two of a microsecond: the kernel counts by each of them, but every
// series costs whoever stores it. Four times the one before each, from a quarter of a millisecond to 16 seconds.
constexpr std::array iteration_edges{8U, 10U, 12U, 14U, 16U, 18U, 20U, 22U, 24U};
constexpr std::array run_delay_edges{8U, 10U, 12U, 14U, 16U, 18U};

template <std::size_t N>
ClientMetric histogram(ClientMetric metric, const Histogram &counts, std::uint64_t sum_ns, const std::array<unsigned, N> &edges) {
	constexpr double s_per_us = 1e-6;
	std::uint64_t sum = 0;
	std::size_t counted = 0; // buckets: number i counts times below 2^i us
	for (const unsigned edge : edges) {
		for (; counted <= edge; counted++) {
			sum += counts.at(counted);
		}
		metric.histogram.bucket.push_back({sum, s_per_us * static_cast<double>(1ULL << edge)});
	}
	for (; counted < counts.size(); counted++) {
		sum += counts.at(counted);
	}
	metric.histogram.bucket.push_back({sum, INFINITY});
	metric.histogram.sample_count = sum;
	metric.histogram.sample_sum = seconds(sum_ns);
	return metric;
}

// Iterations, idle time, a stall's age and its line; two histograms, each with +Inf, sum and count; causes and lines, of which
// one more counts the rest.
constexpr std::size_t fixed_series = 4 + iteration_edges.size() + 3 + run_delay_edges.size() + 3;
static_assert(fixed_series + 3 * MetricsState::max_causes + MetricsState::max_culprits_of_loop + 1 +
                  StandstillMetrics::max_series_of_loop <=
              MetricsState::max_series_of_loop);

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

} // namespace

struct MetricsState::Families {
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
	                              "Age of the stall that runs now, by the application's line; only once it has been inspected.",
	                              MetricType::Gauge,
	                              {}};
	MetricFamily culprits{
	    "loopsnoop_stall_culprit_total", "Stalls that have ended, by the application's line.", MetricType::Counter, {}};
	StandstillMetrics::Families standstills;
	MetricFamily withheld{
	    "loopsnoop_series_withheld",
	    "What has no series of its own: loops (now), stalls counted under function=\"other\" (since the start).",
	    MetricType::Gauge,
	    {}};
	MetricFamily lost{"loopsnoop_lost_total", "What could not be recorded, by reason.", MetricType::Counter, {}};
	MetricFamily build{"loopsnoop_build_info", "The version of this exporter.", MetricType::Gauge, {}};

	[[nodiscard]] std::vector<MetricFamily> in_order() && {
		std::vector<MetricFamily> all;
		for (MetricFamily *family : {&iterations, &iteration_times, &run_delays, &busy, &idle, &stalls, &stalled, &ongoing,
		                             &ongoing_culprits, &culprits, &withheld, &lost, &build}) {
			all.push_back(std::move(*family)); // thousands of series on a busy host
		}
		for (MetricFamily *family : standstills.in_order()) {
			all.push_back(std::move(*family));
		}
		std::erase_if(all, [](const MetricFamily &family) { return family.metric.empty(); });
		return all;
	}
};

namespace {

std::vector<ClientMetric::Label> labels_of(std::uint32_t pid, std::uint32_t tid, const std::string &comm,
                                           const std::string &service, const Placement &placement) {
	std::vector<ClientMetric::Label> base{{"pid", std::to_string(pid)},
	                                      {"comm", label_value(comm)},
	                                      {"tid", std::to_string(tid)},
	                                      {"service", label_value(service)}};
	// To Prometheus an empty label and none are the same.
	if (!placement.container.empty()) {
		base.push_back({"container", label_value(placement.container)});
	}
	if (!placement.unit.empty()) {
		base.push_back({"unit", label_value(placement.unit)});
	}
	return base;
}

std::uint64_t age_of(const LoopState &state, std::uint64_t now_ns) {
	return state.iteration_start_ns != 0 && now_ns > state.iteration_start_ns ? now_ns - state.iteration_start_ns : 0;
}

std::uint64_t idle_of(const LoopState &state, std::uint64_t now_ns) {
	// Woken, and not run since: what has begun there is an iteration, even if the kernel's table does not say so yet.
	const std::uint64_t end = state.woken_at_ns > state.idle_since_ns ? std::min(state.woken_at_ns, now_ns) : now_ns;
	return state.idle_total_ns + (state.idle_since_ns != 0 && end > state.idle_since_ns ? end - state.idle_since_ns : 0);
}

} // namespace

void MetricsState::add_causes(Families &out, const std::vector<ClientMetric::Label> &base, Loop &loop,
                              const std::array<std::uint64_t, cause_count> &busy,
                              const std::array<std::uint64_t, cause_count> &stalled) {
	constexpr auto rest = static_cast<std::size_t>(Cause::other);
	// Those that every loop has sooner or later, so that their first increase is seen.
	loop.causes_shown.set(rest).set(static_cast<std::size_t>(Cause::cpu)).set(static_cast<std::size_t>(Cause::runqueue));
	std::array<double, cause_count> busy_s{};
	std::array<double, cause_count> stalled_s{};
	std::array<double, cause_count> stalls{};
	for (std::size_t i = 0; i < cause_count; i++) {
		const bool is_there = busy.at(i) != 0 || stalled.at(i) != 0 || loop.stalls.at(i) != 0;
		if (is_there && !loop.causes_shown.test(i) && loop.causes_shown.count() < max_causes) {
			loop.causes_shown.set(i);
		}
		const std::size_t to = loop.causes_shown.test(i) ? i : rest;
		busy_s.at(to) += seconds(busy.at(i));
		stalled_s.at(to) += seconds(stalled.at(i));
		stalls.at(to) += static_cast<double>(loop.stalls.at(i));
	}
	for (std::size_t i = 0; i < cause_count; i++) {
		if (!loop.causes_shown.test(i)) {
			continue;
		}
		const ClientMetric::Label cause{"cause", std::string(cause_texts.at(i).name)};
		// A wait whose cause is put right when it ends, or a wake-up that turned out none, must not make a counter go down.
		double &busy_shown = loop.busy_shown.at(i);
		busy_shown = std::max(busy_shown, busy_s.at(i));
		out.busy.metric.push_back(counter(labelled(base, {cause}), busy_shown));
		double &stalled_shown = loop.stalled_shown.at(i);
		stalled_shown = std::max(stalled_shown, stalled_s.at(i));
		out.stalled.metric.push_back(counter(labelled(base, {cause}), stalled_shown));
		out.stalls.metric.push_back(counter(labelled(base, {cause}), stalls.at(i)));
	}
}

void MetricsState::add_loop(Families &out, std::uint64_t now_ns, const LoopState &state, Loop &loop) const {
	const std::vector<ClientMetric::Label> base = labels_of(state.pid, state.tid, loop.comm, loop.service, loop.placement);
	const std::uint64_t age = age_of(state, now_ns);
	const bool stalls_now = age >= threshold_ns_;
	out.iterations.metric.push_back(counter(labelled(base), static_cast<double>(state.iterations)));
	out.ongoing.metric.push_back(gauge(labelled(base), stalls_now ? seconds(age) : 0));
	if (!loop.detailed) {
		return;
	}
	standstills_.add(out.standstills, base, {state.pid, state.tid}, now_ns);
	out.iteration_times.metric.push_back(histogram(labelled(base), state.iteration_times, state.busy_ns, iteration_edges));
	out.run_delays.metric.push_back(histogram(labelled(base), state.poll_delays, state.poll_delay_ns, run_delay_edges));
	loop.idle_shown = std::max(loop.idle_shown, seconds(idle_of(state, now_ns)));
	out.idle.metric.push_back(counter(labelled(base), loop.idle_shown));
	if (const auto culprit = loop.stuck_in(state); stalls_now && culprit) {
		out.ongoing_culprits.metric.push_back(gauge(of_culprit(base, *culprit), seconds(age)));
	}
	const Breakdown now = running(state, now_ns);
	std::array<std::uint64_t, cause_count> busy{};
	std::array<std::uint64_t, cause_count> stalled{};
	for (std::size_t i = 0; i < cause_count; i++) {
		busy.at(i) = state.total.at(i).ns + now.at(i).ns;
		stalled.at(i) = loop.stalled.at(i).ns + (stalls_now ? now.at(i).ns : 0);
	}
	add_causes(out, base, loop, busy, stalled);
	for (const auto &[culprit, count] : loop.culprits) {
		out.culprits.metric.push_back(counter(of_culprit(base, culprit), static_cast<double>(count)));
	}
}

void MetricsState::add_session(Families &out, const LossCounts &lost) const {
	const auto without = std::count_if(loops_.begin(), loops_.end(), [](const auto &entry) { return !entry.second.detailed; });
	out.withheld.metric.push_back(gauge(labelled({}, {{"of", "loops"}}), static_cast<double>(without)));
	out.withheld.metric.push_back(gauge(labelled({}, {{"of", "culprits"}}), static_cast<double>(culprits_withheld_)));
	for (std::size_t i = 0; i < loss_count; i++) {
		out.lost.metric.push_back(
		    counter(labelled({}, {{"reason", std::string(loss_texts.at(i).name)}}), static_cast<double>(lost.at(i))));
	}
	out.build.metric.push_back(gauge(labelled({}, {{"version", version_}}), 1));
}

std::vector<MetricFamily> MetricsState::families(std::uint64_t now_ns, const std::vector<LoopState> &states,
                                                 const LossCounts &lost) {
	Families out;
	std::set<Id> alive;
	for (const LoopState &state : states) {
		alive.insert({state.pid, state.tid});
		// One that is not there is not taken for a loop (yet).
		if (const auto entry = loops_.find({state.pid, state.tid}); entry != loops_.end()) {
			add_loop(out, now_ns, state, entry->second);
		}
	}
	std::erase_if(loops_, [&](const auto &entry) { return !alive.contains(entry.first); });
	standstills_.keep_only({alive.begin(), alive.end()});
	add_session(out, lost);
	return std::move(out).in_order();
}

} // namespace loopsnoop::exporter

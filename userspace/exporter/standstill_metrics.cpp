// SPDX-License-Identifier: Apache-2.0
#include "exporter/standstill_metrics.h"

#include <algorithm>
#include <string>

#include "exporter/label_value.h"
#include "exporter/seconds.h"

namespace loopsnoop::exporter {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

void add_value(MetricFamily &family, StandstillMetrics::Labels labels, double value) {
	ClientMetric metric;
	metric.label = std::move(labels);
	(family.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
	family.metric.push_back(std::move(metric));
}

StandstillMetrics::Labels with(StandstillMetrics::Labels labels, std::initializer_list<ClientMetric::Label> more) {
	labels.insert(labels.end(), more.begin(), more.end());
	return labels;
}

void add_known(MetricFamily &family, const StandstillMetrics::Labels &labels, const std::optional<std::uint64_t> &value) {
	if (value) {
		add_value(family, labels, static_cast<double>(*value));
	}
}

} // namespace

void StandstillMetrics::write(const Standstill &standstill) {
	Loop &loop = loops_[{standstill.pid, standstill.tid}];
	if (standstill.id != loop.last_id) {
		loop.last_id = standstill.id;
		loop.total.at(static_cast<std::size_t>(standstill.kind))++;
	}
	loop.ongoing =
	    standstill.ongoing ? std::optional(Ongoing{standstill.kind, standstill.start_ns, standstill.culprit}) : std::nullopt;
}

void StandstillMetrics::write(std::vector<ProcessGauges> gauges) {
	for (ProcessGauges &one : gauges) {
		const Id id{one.pid, one.tid};
		loops_[id].gauges = std::move(one);
	}
}

void StandstillMetrics::add(Families &out, const Labels &base, Id id, std::uint64_t now_ns) const {
	const auto entry = loops_.find(id);
	if (entry == loops_.end()) {
		return;
	}
	const Loop &loop = entry->second;
	const StandstillKind kind = loop.ongoing ? loop.ongoing->kind : StandstillKind::no_answer;
	const std::uint64_t age = loop.ongoing ? now_ns - std::min(now_ns, loop.ongoing->start_ns) : 0;
	add_value(out.ongoing, with(base, {{"kind", std::string(name_of(kind))}}), seconds(age));
	for (std::size_t i = 0; i < kinds; i++) { // from 0 on, so that the first one is an increase
		add_value(out.total, with(base, {{"kind", std::string(name_of(static_cast<StandstillKind>(i)))}}),
		          static_cast<double>(loop.total.at(i)));
	}
	if (!loop.gauges) {
		return;
	}
	const ProcessGauges &gauges = *loop.gauges;
	add_known(out.unanswered, base, gauges.unanswered);
	if (gauges.unanswered) {
		add_value(out.oldest, base, seconds(gauges.oldest_unanswered_ns.value_or(0)));
	}
	add_known(out.tasks, base, gauges.tasks);
	for (std::size_t i = 0; i < std::min(gauges.places.size(), max_places); i++) {
		const TaskPlace &place = gauges.places.at(i);
		add_value(out.places,
		          with(base, {{"function", label_value(place.line.function)},
		                      {"file", label_value(place.line.file)},
		                      {"line", place.line.line ? std::to_string(*place.line.line) : ""}}),
		          static_cast<double>(place.count));
	}
	add_known(out.connections, with(base, {{"direction", "in"}}), gauges.inbound);
	add_known(out.connections, with(base, {{"direction", "out"}}), gauges.outbound);
	add_known(out.resident, base, gauges.resident_bytes);
	add_known(out.descriptors, base, gauges.descriptors);
	add_known(out.threads, base, gauges.threads);
}

void StandstillMetrics::keep_only(const std::vector<Id> &alive) {
	std::erase_if(loops_, [&](const auto &entry) { return std::ranges::find(alive, entry.first) == alive.end(); });
}

} // namespace loopsnoop::exporter

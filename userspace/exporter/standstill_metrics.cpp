// SPDX-License-Identifier: Apache-2.0
#include "exporter/standstill_metrics.h"

#include <algorithm>
#include <string>
#include <utility>

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

void add_remotes(MetricFamily &family, const StandstillMetrics::Labels &labels, const ShownRemotes &remotes, std::uint64_t all) {
	for (const RemoteCount &one : remotes.shown()) {
		add_value(family, with(labels, {{"remote", label_value(one.remote)}}), static_cast<double>(one.count));
	}
	if (const std::uint64_t others = remotes.others(all); others > 0) {
		add_value(family, with(labels, {{"remote", "other"}}), static_cast<double>(others));
	}
}

} // namespace

void StandstillMetrics::write(const Standstill &standstill) {
	Loop &loop = loops_[{standstill.pid, standstill.tid}];
	if (standstill.id != loop.last_id) {
		loop.last_id = standstill.id;
		loop.total.at(static_cast<std::size_t>(standstill.kind))++;
	}
	if (!standstill.ongoing) {
		loop.ongoing.reset();
		end(standstill);
		return;
	}
	loop.ongoing = Ongoing{standstill.kind, standstill.start_ns, standstill.culprit, standstill.clients};
	loop.ongoing->clients.connections.clear();
}

void StandstillMetrics::end(const Standstill &standstill) {
	Standstill &one = recent_.emplace_front();
	one.started_at = standstill.started_at;
	one.duration_ns = standstill.duration_ns;
	one.pid = standstill.pid;
	one.tid = standstill.tid;
	one.comm = standstill.comm;
	one.name.service = standstill.name.service;
	one.kind = standstill.kind;
	one.culprit = standstill.culprit;
	one.clients = standstill.clients;
	one.clients.connections.clear();
	if (recent_.size() > max_recent) {
		recent_.pop_back();
	}
}

void StandstillMetrics::write(std::vector<ProcessGauges> gauges) {
	std::size_t remotes = 0; // that are shown, of all loops
	for (const auto &[id, loop] : loops_) {
		remotes += loop.inbound_from.shown().size() + loop.outbound_to.shown().size();
	}
	for (ProcessGauges &one : gauges) {
		const Id id{one.pid, one.tid};
		write(loops_[id], std::move(one), remotes);
	}
}

void StandstillMetrics::write(Loop &loop, ProcessGauges now, std::size_t &remotes) {
	if (!loop.gauges) {
		loop.gauges = Filling{now, {}};
	}
	ProcessGauges &first = loop.gauges->first; // what was not known at once begins when it is
	for (const auto member : {&ProcessGauges::tasks, &ProcessGauges::inbound, &ProcessGauges::outbound,
	                          &ProcessGauges::resident_bytes, &ProcessGauges::descriptors, &ProcessGauges::threads}) {
		first.*member = first.*member ? first.*member : now.*member;
	}
	for (auto [shown, busiest] :
	     {std::pair(&loop.inbound_from, &now.inbound_from), std::pair(&loop.outbound_to, &now.outbound_to)}) {
		const std::size_t had = shown->shown().size();
		shown->update(*busiest, had + max_remotes - std::min(max_remotes, remotes));
		remotes = remotes - had + shown->shown().size();
	}
	if (loop.ongoing && now.unanswered) {
		loop.ongoing->clients.unanswered = *now.unanswered;
		loop.ongoing->clients.oldest_ns = now.oldest_unanswered_ns;
		loop.ongoing->clients.not_accepted = now.not_accepted.value_or(loop.ongoing->clients.not_accepted);
	}
	loop.gauges->last = std::move(now);
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
	const ProcessGauges &gauges = loop.gauges->last;
	add_known(out.unanswered, base, gauges.unanswered);
	if (gauges.unanswered) {
		add_value(out.oldest, base, seconds(gauges.oldest_unanswered_ns.value_or(0)));
	}
	add_known(out.not_accepted, base, gauges.not_accepted);
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
	if (gauges.inbound) {
		add_remotes(out.remotes, with(base, {{"direction", "in"}}), loop.inbound_from, *gauges.inbound);
	}
	if (gauges.outbound) {
		add_remotes(out.remotes, with(base, {{"direction", "out"}}), loop.outbound_to, *gauges.outbound);
	}
	add_known(out.resident, base, gauges.resident_bytes);
	add_known(out.descriptors, base, gauges.descriptors);
	add_known(out.threads, base, gauges.threads);
}

void StandstillMetrics::keep_only(const std::vector<Id> &alive) {
	std::erase_if(loops_, [&](const auto &entry) { return std::ranges::find(alive, entry.first) == alive.end(); });
}

} // namespace loopsnoop::exporter

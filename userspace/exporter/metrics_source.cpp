// SPDX-License-Identifier: Apache-2.0
#include "exporter/metrics_source.h"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>

#include <iterator>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/duration.h"
#include "exporter/own_process.h"
#include "exporter/page.h"
#include "exporter/seconds.h"

namespace loopsnoop::exporter {

namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family_of_one(std::string name, std::string help, MetricType type, double value) {
	MetricFamily family{std::move(name), std::move(help), type, {{}}};
	(type == MetricType::Counter ? family.metric.front().counter.value : family.metric.front().gauge.value) = value;
	return family;
}

std::uint64_t age_of(std::uint64_t then_ns) {
	const std::uint64_t now = monotonic_ns();
	return now > then_ns ? now - then_ns : 0;
}

} // namespace

void MetricsSource::write(const Record &record) {
	const std::scoped_lock lock(mutex_);
	state_.write(record);
}

void MetricsSource::write(std::vector<ProcessGauges> gauges) {
	const std::scoped_lock lock(mutex_);
	state_.write(std::move(gauges));
}

void MetricsSource::read_from(std::function<Tables()> tables) {
	const std::scoped_lock lock(mutex_);
	tables_ = std::move(tables);
}

HttpAnswer MetricsSource::answer(const std::string &path) {
	if (path == "/metrics") {
		return metrics();
	}
	if (path == "/") {
		return page_now();
	}
	if (path == "/healthz") {
		return health();
	}
	constexpr int not_found = 404;
	return {not_found, "text/plain; charset=utf-8", "there are /, /metrics and /healthz\n"};
}

HttpAnswer MetricsSource::metrics() {
	std::vector<MetricFamily> families = own_process_families();
	families.push_back(family_of_one("exposer_scrapes_total", "Number of times metrics were scraped.", MetricType::Counter,
	                                 static_cast<double>(scrapes_)));
	families.push_back(family_of_one("exposer_transferred_bytes_total", "Bytes of metrics served, before compression.",
	                                 MetricType::Counter, static_cast<double>(scraped_bytes_)));
	if (const std::uint64_t drained = drained_ns_; drained != 0) {
		families.push_back(family_of_one("loopsnoop_last_drain_age_seconds",
		                                 "Time since the session last drained what the kernel recorded.", MetricType::Gauge,
		                                 seconds(age_of(drained))));
	}
	{
		const std::scoped_lock lock(mutex_);
		if (tables_) {
			const Tables now = tables_();
			auto loops = state_.families(now.now_ns, now.loops, now.lost);
			families.insert(families.end(), std::make_move_iterator(loops.begin()), std::make_move_iterator(loops.end()));
		}
	}
	HttpAnswer answer{200, "text/plain; version=0.0.4; charset=utf-8", prometheus::TextSerializer().Serialize(families)};
	scrapes_++;
	scraped_bytes_ += answer.body.size();
	return answer;
}

HttpAnswer MetricsSource::page_now() {
	const std::scoped_lock lock(mutex_);
	const Tables now = tables_ ? tables_() : Tables{};
	Overview overview = state_.overview(now.now_ns, now.loops, now.lost);
	overview.own_threads = Pulse::read_all();
	return {200, "text/html; charset=utf-8", page(overview)};
}

HttpAnswer MetricsSource::health() const {
	constexpr int ok = 200;
	constexpr int unavailable = 503;
	const std::string type = "text/plain; charset=utf-8";
	const std::uint64_t drained = drained_ns_;
	if (drained == 0) {
		return {unavailable, type, "starting: the session has not begun yet\n"};
	}
	const std::uint64_t age = age_of(drained);
	const bool healthy = age < Exporter::healthy_ns;
	return {healthy ? ok : unavailable, type,
	        fmt::format("{}: the session last drained {} ago\n", healthy ? "ok" : "stalled", format_duration(age))};
}

} // namespace loopsnoop::exporter

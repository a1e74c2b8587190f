// SPDX-License-Identifier: Apache-2.0
// Who waits for a loop and what fills up in its process, as the metrics and the status page have it.
#include "exporter/standstill_metrics.h"

#include <algorithm>
#include <string>

#include "catch.h"
#include "exporter/metrics_state.h"

using namespace loopsnoop;
using exporter::MetricsState;
using exporter::Overview;
using exporter::ShownRemotes;
using exporter::StandstillMetrics;

namespace {

constexpr std::uint64_t ms = 1'000'000;
constexpr std::uint64_t s = 1'000'000'000;

LoopState idle_loop(std::uint32_t pid, std::uint32_t tid) {
	LoopState state;
	state.pid = pid;
	state.tid = tid;
	state.idle_since_ns = 5 * s;
	return state;
}

void follow(MetricsState &metrics, std::uint32_t pid, std::uint32_t tid) {
	LoopFound loop;
	loop.pid = pid;
	loop.tid = tid;
	loop.comm = "python3";
	loop.name.service = "shop";
	metrics.write(loop);
}

ProcessGauges gauges_of(std::uint32_t pid, std::uint64_t tasks, std::uint64_t outbound) {
	ProcessGauges gauges;
	gauges.pid = gauges.tid = pid;
	gauges.tasks = tasks;
	gauges.places = {{{"article", "/srv/shop/api.py", 47}, tasks}};
	gauges.inbound = 7;
	gauges.outbound = outbound;
	gauges.inbound_from = {{"10.0.0.9", 4}, {"10.0.0.8", 3}};
	gauges.outbound_to = {{"10.0.0.5:5432", outbound}};
	gauges.not_accepted = 2;
	gauges.unanswered = 0;
	gauges.resident_bytes = 100 << 20;
	return gauges;
}

Standstill standstill(std::uint32_t pid, bool ongoing) {
	Standstill one;
	one.id = 1;
	one.pid = one.tid = pid;
	one.comm = "python3";
	one.name.service = "shop";
	one.ongoing = ongoing;
	one.kind = StandstillKind::no_answer;
	one.start_ns = 60 * s;
	one.started_at = "2026-11-24T05:08:46.000123Z";
	one.duration_ns = 40 * s;
	one.culprit = SourceFrame{"article", "/srv/shop/api.py", 47};
	one.clients.unanswered = 3;
	one.clients.oldest_ns = 40 * s;
	one.clients.connections.resize(3);
	return one;
}

// Of all series of that name: what they say, by the last label.
std::map<std::string, double> by_last_label(MetricsState &metrics, const std::vector<LoopState> &states,
                                            const std::string &name) {
	std::map<std::string, double> values;
	for (const auto &family : metrics.families(100 * s, states, {})) {
		for (const auto &one : family.metric) {
			if (family.name == name) {
				values[one.label.back().value] += one.gauge.value + one.counter.value;
			}
		}
	}
	return values;
}

} // namespace

TEST_CASE("connections by remote: those with most, and the others together") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	follow(metrics, 7, 7);
	ProcessGauges gauges = gauges_of(7, 11, 20);
	gauges.outbound_to = {{"10.0.0.5:5432", 8}, {"b", 4}, {"c", 3}, {"d", 2}, {"e", 1}, {"f", 1}};
	metrics.write({gauges});
	const auto remotes = by_last_label(metrics, {idle_loop(7, 7)}, "loopsnoop_connections_by_remote");
	CHECK(remotes ==
	      std::map<std::string, double>{
	          {"10.0.0.9", 4}, {"10.0.0.8", 3}, {"10.0.0.5:5432", 8}, {"b", 4}, {"c", 3}, {"d", 2}, {"e", 1}, {"other", 2}});
	CHECK(by_last_label(metrics, {idle_loop(7, 7)}, "loopsnoop_not_accepted_connections").begin()->second == 2);
}

TEST_CASE("remotes are bounded over all processes; what is beyond counts as other, and sums stay true") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	std::vector<LoopState> states;
	std::vector<ProcessGauges> all;
	for (std::uint32_t pid = 1; pid <= 300; pid++) {
		follow(metrics, pid, pid);
		states.push_back(idle_loop(pid, pid));
		ProcessGauges gauges = gauges_of(pid, 1, 15);
		gauges.inbound = 0;
		gauges.inbound_from.clear();
		gauges.outbound_to = {{"a", 5}, {"b", 4}, {"c", 3}, {"d", 2}, {"e", 1}};
		all.push_back(gauges);
	}
	metrics.write(all);
	metrics.write(all);
	std::size_t series = 0;
	double sum = 0;
	for (const auto &family : metrics.families(100 * s, states, {})) {
		for (const auto &one : family.metric) {
			if (family.name == "loopsnoop_connections_by_remote") {
				series += one.label.back().value == "other" ? 0 : 1;
				sum += one.gauge.value;
			}
		}
	}
	CHECK(series == StandstillMetrics::max_remotes);
	CHECK(sum == 300 * 15);
}

TEST_CASE("a loop with everything has no more series than are promised") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	follow(metrics, 7, 7);
	ProcessGauges gauges = gauges_of(7, 11, 200);
	gauges.threads = gauges.descriptors = 5;
	for (int i = 0; i < 16; i++) {
		gauges.places.push_back({{"f" + std::to_string(i), "/a.py", i}, 3});
		gauges.inbound_from.push_back({std::to_string(i), 1});
		gauges.outbound_to.push_back({std::to_string(i), 1});
	}
	gauges.inbound = 200;
	gauges.outbound = 400;
	metrics.write({gauges});
	metrics.write(standstill(7, true));
	std::size_t series = 0;
	for (const auto &family : metrics.families(100 * s, {idle_loop(7, 7)}, {})) {
		const bool ours = StandstillMetrics::Families().ongoing.name == family.name ||
		                  family.name.starts_with("loopsnoop_standstill") || family.name.starts_with("loopsnoop_target") ||
		                  family.name.starts_with("loopsnoop_tasks") || family.name.ends_with("connections") ||
		                  family.name.find("connections_by") != std::string::npos ||
		                  family.name == "loopsnoop_oldest_unanswered_seconds";
		series += ours ? family.metric.size() : 0;
	}
	CHECK(series == StandstillMetrics::max_series_of_loop);
}

TEST_CASE("the page has what fills up in a process, and from where it started") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	follow(metrics, 7, 7);
	follow(metrics, 7, 9);
	follow(metrics, 8, 8);
	ProcessGauges early = gauges_of(7, 11, 2);
	early.tasks.reset(); // not read yet
	early.places.clear();
	metrics.write({early});
	metrics.write({gauges_of(7, 11, 3)});
	ProcessGauges second;
	second.pid = 7;
	second.tid = 9;
	second.tasks = 5;
	second.places = {{{"poll", "/srv/shop/jobs.py", 8}, 500}};
	metrics.write({gauges_of(7, 212, 90), second});
	const Overview now = metrics.overview(100 * s, {idle_loop(7, 7), idle_loop(7, 9), idle_loop(8, 8)}, {});
	REQUIRE(now.filling.size() == 1); // nothing is known of the other process
	const Overview::Filling &one = now.filling.front();
	CHECK(one.pid == 7);
	CHECK(one.tid == 7);
	CHECK(one.comm == "shop");
	CHECK(one.first.tasks == 16); // of both loops
	CHECK(one.last.tasks == 217);
	CHECK(one.first.outbound == 2);
	CHECK(one.last.outbound == 90);
	CHECK(one.last.places.front().line.function == "poll"); // most first
	CHECK(one.last.outbound_to.front().remote == "10.0.0.5:5432");
}

TEST_CASE("a standstill on the page: who waits, as counted last; and when it is over, that it was") {
	MetricsState metrics("0.1.0", 100 * ms, s);
	follow(metrics, 7, 7);
	metrics.write(standstill(7, true));
	Overview now = metrics.overview(100 * s, {idle_loop(7, 7)}, {});
	REQUIRE(now.standing.size() == 1);
	CHECK(now.standing.front().clients == "3 customers wait, the oldest for 40.0 s");
	CHECK(now.standing.front().for_ns == 40 * s);
	CHECK(now.stood.empty());
	ProcessGauges later = gauges_of(7, 11, 3);
	later.unanswered = 5;
	later.oldest_unanswered_ns = 50 * s;
	later.not_accepted = 0;
	metrics.write({later});
	now = metrics.overview(110 * s, {idle_loop(7, 7)}, {});
	CHECK(now.standing.front().clients == "5 customers wait, the oldest for 50.0 s");
	metrics.write(standstill(7, false));
	now = metrics.overview(120 * s, {idle_loop(7, 7)}, {});
	CHECK(now.standing.empty());
	REQUIRE(now.stood.size() == 1);
	CHECK(now.stood.front().comm == "shop");
	CHECK(now.stood.front().kind == StandstillKind::no_answer);
	CHECK(now.stood.front().since == "2026-11-24T05:08:46.000123Z");
	CHECK(now.stood.front().for_ns == 40 * s);
	CHECK(std::get<0>(now.stood.front().where) == "article");
	CHECK(now.stood.front().clients.starts_with("3 customers waited"));
	for (int i = 0; i < 100; i++) {
		metrics.write(standstill(7, false));
	}
	CHECK(metrics.overview(120 * s, {idle_loop(7, 7)}, {}).stood.size() == StandstillMetrics::max_recent);
}

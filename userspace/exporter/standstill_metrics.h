// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <prometheus/metric_family.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "exporter/shown_remotes.h"
#include "model/gauges.h"
#include "model/standstill.h"

namespace loopsnoop::exporter {

// Who waits for a loop, and what fills up in its process. `max_series_of_loop` series at most a loop. Not thread-safe.
class StandstillMetrics {
public:
	using Id = std::pair<std::uint32_t, std::uint32_t>; // pid, tid
	using Labels = std::vector<prometheus::ClientMetric::Label>;

	static constexpr std::size_t kinds = 5;
	static constexpr std::size_t max_places = 5;
	// Over all loops. Where there is no room left, all remotes of a process are "other".
	static constexpr std::size_t max_remotes = 1000;
	// A standstill that goes on, each kind's count, customers, the oldest and those not accepted, tasks and their places, two
	// directions, remotes of each and the others, three gauges.
	static constexpr std::size_t max_series_of_loop =
	    1 + kinds + 3 + 1 + max_places + 2 + 2 * (ShownRemotes::max_remotes + 1) + 3;
	// Ended standstills that the status page shows.
	static constexpr std::size_t max_recent = 30;

	struct Families {
		prometheus::MetricFamily ongoing{"loopsnoop_standstill_ongoing_seconds",
		                                 "Age of the standstill that goes on now, 0 while there is none.",
		                                 prometheus::MetricType::Gauge,
		                                 {}};
		prometheus::MetricFamily total{"loopsnoop_standstills_total",
		                               "Standstills that were reported: the loop was idle, or went round, while work waited.",
		                               prometheus::MetricType::Counter,
		                               {}};
		prometheus::MetricFamily unanswered{"loopsnoop_unanswered_connections",
		                                    "Accepted connections whose customer asked and has got no byte since.",
		                                    prometheus::MetricType::Gauge,
		                                    {}};
		prometheus::MetricFamily oldest{"loopsnoop_oldest_unanswered_seconds",
		                                "How long the customer has waited who has waited longest, 0 when nobody does.",
		                                prometheus::MetricType::Gauge,
		                                {}};
		prometheus::MetricFamily not_accepted{"loopsnoop_not_accepted_connections",
		                                      "Connections that wait in the accept queues of the process.",
		                                      prometheus::MetricType::Gauge,
		                                      {}};
		prometheus::MetricFamily tasks{
		    "loopsnoop_tasks", "Tasks of the loop, where they can be read.", prometheus::MetricType::Gauge, {}};
		prometheus::MetricFamily places{
		    "loopsnoop_tasks_waiting", "Tasks that wait, by the five lines where most do.", prometheus::MetricType::Gauge, {}};
		prometheus::MetricFamily connections{
		    "loopsnoop_connections", "TCP connections of the process, by who made them.", prometheus::MetricType::Gauge, {}};
		prometheus::MetricFamily remotes{"loopsnoop_connections_by_remote",
		                                 "TCP connections of the process, by the five remotes of each direction that have most "
		                                 "of them; the rest is \"other\".",
		                                 prometheus::MetricType::Gauge,
		                                 {}};
		prometheus::MetricFamily resident{"loopsnoop_target_resident_memory_bytes",
		                                  "Resident memory of the process that is followed.",
		                                  prometheus::MetricType::Gauge,
		                                  {}};
		prometheus::MetricFamily descriptors{
		    "loopsnoop_target_open_fds", "Open descriptors of the process that is followed.", prometheus::MetricType::Gauge, {}};
		prometheus::MetricFamily threads{
		    "loopsnoop_target_threads", "Threads of the process that is followed.", prometheus::MetricType::Gauge, {}};

		[[nodiscard]] std::vector<prometheus::MetricFamily *> in_order() {
			return {&ongoing, &total,       &unanswered, &oldest,   &not_accepted, &tasks,
			        &places,  &connections, &remotes,    &resident, &descriptors,  &threads};
		}
	};

	void write(const Standstill &standstill);
	void write(std::vector<ProcessGauges> gauges);
	// Of one loop, as of `now_ns` (CLOCK_MONOTONIC).
	void add(Families &out, const Labels &base, Id id, std::uint64_t now_ns) const;
	// The standstill of that loop that goes on; nullopt: none does.
	struct Ongoing {
		StandstillKind kind = StandstillKind::no_answer;
		std::uint64_t start_ns = 0;
		std::optional<SourceFrame> culprit;
		Clients clients; // as they were counted last, without the single ones
	};
	[[nodiscard]] std::optional<Ongoing> ongoing(Id id) const {
		const auto loop = loops_.find(id);
		return loop != loops_.end() ? loop->second.ongoing : std::nullopt;
	}
	// Those that have ended, latest first, without what the page does not show.
	[[nodiscard]] const std::deque<Standstill> &recent() const { return recent_; }
	// What fills up in the process of that loop: when it was known first, and now; nullopt: not known (yet).
	struct Filling {
		ProcessGauges first;
		ProcessGauges last;
	};
	[[nodiscard]] std::optional<Filling> filling(Id id) const {
		const auto loop = loops_.find(id);
		return loop != loops_.end() ? loop->second.gauges : std::nullopt;
	}
	void keep_only(const std::vector<Id> &alive);

private:
	struct Loop {
		std::array<std::uint64_t, kinds> total{};
		std::optional<Ongoing> ongoing;
		std::uint64_t last_id = 0;
		std::optional<Filling> gauges;
		ShownRemotes inbound_from, outbound_to;
	};
	static void write(Loop &loop, ProcessGauges now, std::size_t &remotes);
	void end(const Standstill &standstill);

	std::map<Id, Loop> loops_;
	std::deque<Standstill> recent_;
};

} // namespace loopsnoop::exporter

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

#include "exporter/exporter.h"
#include "exporter/http_server.h"
#include "exporter/metrics_state.h"

namespace loopsnoop::exporter {

// What is answered on each path. The session's thread writes, the server's reads.
class MetricsSource {
public:
	explicit MetricsSource(const ExporterSettings &settings)
	    : state_(settings.version, settings.threshold_ns, settings.hang_after_ns) {}

	void write(const Record &record);
	void write(std::vector<ProcessGauges> gauges);
	void drained(std::uint64_t now_ns) { drained_ns_ = now_ns; }
	void read_from(std::function<Tables()> tables);

	[[nodiscard]] HttpAnswer answer(const std::string &path);

private:
	[[nodiscard]] HttpAnswer metrics();
	[[nodiscard]] HttpAnswer page_now();
	[[nodiscard]] HttpAnswer health() const;

	std::mutex mutex_; // of state_ and tables_
	MetricsState state_;
	std::function<Tables()> tables_;
	std::atomic<std::uint64_t> drained_ns_ = 0; // 0: not yet
	std::uint64_t scrapes_ = 0;                 // of the server's thread alone
	std::uint64_t scraped_bytes_ = 0;
};

} // namespace loopsnoop::exporter

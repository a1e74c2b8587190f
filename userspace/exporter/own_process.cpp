// SPDX-License-Identifier: Apache-2.0
#include "exporter/own_process.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

#include "base/pulse.h"
#include "exporter/seconds.h"

namespace loopsnoop::exporter {

namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

void add(std::vector<MetricFamily> &to, std::string name, std::string help, MetricType type, double value) {
	MetricFamily family{std::move(name), std::move(help), type, {{}}};
	(type == MetricType::Counter ? family.metric.front().counter.value : family.metric.front().gauge.value) = value;
	to.push_back(std::move(family));
}

} // namespace

std::vector<MetricFamily> own_process_families() {
	std::vector<MetricFamily> families;
	rusage usage{};
	if (getrusage(RUSAGE_SELF, &usage) == 0) {
		constexpr double us_per_s = 1e6;
		const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		                   static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / us_per_s;
		add(families, "process_cpu_seconds_total", "User and system CPU time of this exporter.", MetricType::Counter, cpu);
	}
	std::ifstream statm("/proc/self/statm");
	std::uint64_t pages = 0;
	std::uint64_t resident = 0;
	if (statm >> pages >> resident) {
		const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
		add(families, "process_virtual_memory_bytes", "Virtual memory of this exporter.", MetricType::Gauge,
		    static_cast<double>(pages) * page);
		add(families, "process_resident_memory_bytes", "Resident memory of this exporter.", MetricType::Gauge,
		    static_cast<double>(resident) * page);
	}
	MetricFamily still{"loopsnoop_self_stalled_seconds",
	                   "Time for which a thread of loopsnoop itself stood still for two seconds or more, now included.",
	                   MetricType::Gauge,
	                   {}};
	for (const Pulse::Reading &thread : Pulse::read_all()) {
		prometheus::ClientMetric metric;
		metric.label.push_back({"thread", thread.thread});
		metric.gauge.value = seconds(thread.stalled_ns);
		still.metric.push_back(std::move(metric));
	}
	families.push_back(std::move(still));
	std::error_code error;
	const auto descriptors = std::filesystem::directory_iterator("/proc/self/fd", error);
	if (!error) {
		add(families, "process_open_fds", "Open file descriptors of this exporter.", MetricType::Gauge,
		    static_cast<double>(std::distance(begin(descriptors), end(descriptors))));
	}
	// Start time: field 22 of stat, in ticks since boot; behind the name, which may hold anything.
	std::ifstream stat("/proc/self/stat");
	std::ifstream uptime("/proc/stat");
	std::string line;
	std::getline(stat, line);
	std::istringstream fields(line.substr(line.rfind(')') + 1));
	std::string field;
	constexpr int start_time_field = 20; // counted from the state, which follows the name
	for (int i = 0; i < start_time_field && fields >> field; i++) {
	}
	double boot = 0;
	for (std::string word; uptime >> word;) {
		if (word == "btime" && uptime >> boot) {
			add(families, "process_start_time_seconds", "When this exporter started, since the epoch.", MetricType::Gauge,
			    boot + std::strtod(field.c_str(), nullptr) / static_cast<double>(sysconf(_SC_CLK_TCK)));
			break;
		}
	}
	return families;
}

} // namespace loopsnoop::exporter

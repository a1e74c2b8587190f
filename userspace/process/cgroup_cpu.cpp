// SPDX-License-Identifier: Apache-2.0
#include "process/cgroup_cpu.h"

#include <limits>
#include <string>
#include <utility>

#include "process/cgroup_mounts.h"
#include "process/pseudo_file.h"
#include "process/text.h"

namespace loopsnoop::process {

namespace {

constexpr std::size_t cpu_stat_bytes = 65536;

std::optional<CpuThrottling> read_upwards(const CgroupMount &mount, std::string_view path) {
	if (mount.root != "/") {
		if (!path.starts_with(mount.root)) {
			return std::nullopt;
		}
		path.remove_prefix(mount.root.size());
	}
	// "/.." stands for a cgroup outside of our cgroup namespace; nothing in the mount shows it.
	if (path.find("/..") != std::string_view::npos || (!path.empty() && !path.starts_with('/'))) {
		return std::nullopt;
	}
	std::optional<CpuThrottling> sum;
	for (;;) {
		while (path.ends_with('/')) {
			path.remove_suffix(1);
		}
		if (const auto text = read_pseudo_file(mount.point + std::string(path) + "/cpu.stat", cpu_stat_bytes)) {
			if (const auto level = parse_cpu_stat(*text)) {
				sum = CpuThrottling{(sum ? sum->throttled : 0) + level->throttled,
				                    (sum ? sum->throttled_ns : 0) + level->throttled_ns};
			}
		}
		if (path.empty()) {
			return sum;
		}
		path = path.substr(0, path.rfind('/'));
	}
}

} // namespace

std::optional<CpuThrottling> parse_cpu_stat(std::string_view text) {
	std::optional<std::uint64_t> throttled;
	std::optional<std::uint64_t> throttled_ns;
	while (const auto line = take_line(text)) {
		Words words(*line);
		const std::string_view key = words.next();
		const auto value = parse_number<std::uint64_t>(words.next());
		if (key == "nr_throttled") {
			throttled = value;
		} else if (key == "throttled_time") {
			throttled_ns = value;
		} else if (key == "throttled_usec" && value && *value <= std::numeric_limits<std::uint64_t>::max() / 1000) {
			throttled_ns = *value * 1000;
		}
	}
	if (!throttled || !throttled_ns) {
		return std::nullopt;
	}
	return CpuThrottling{*throttled, *throttled_ns};
}

std::optional<CpuThrottling> cpu_throttling(const ProcFs &procfs, std::uint32_t pid) {
	for (const Cgroup &cgroup : procfs.cgroups(pid)) {
		const bool unified = cgroup.controllers.empty();
		if (!unified && !has_word(cgroup.controllers, "cpu")) {
			continue;
		}
		for (const CgroupMount &mount : cgroup_mounts(procfs)) {
			if (mount.unified != unified || (!unified && !has_word(mount.options, "cpu"))) {
				continue;
			}
			if (const auto found = read_upwards(mount, cgroup.path)) {
				return found;
			}
		}
	}
	return std::nullopt;
}

} // namespace loopsnoop::process

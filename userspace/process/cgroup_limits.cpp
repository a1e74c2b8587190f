// SPDX-License-Identifier: Apache-2.0
#include "process/cgroup_limits.h"

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>

#include "process/cgroup_mounts.h"
#include "process/pseudo_file.h"
#include "process/text.h"

namespace loopsnoop::process {

namespace {

constexpr std::uint64_t ns_per_us = 1000;
constexpr std::size_t file_bytes = 256;

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

std::optional<std::uint64_t> number_in(const std::string &path) {
	const auto text = read_pseudo_file(path, file_bytes);
	return text ? parse_number<std::uint64_t>(first_line(*text)) : std::nullopt;
}

// Calls `level` with the folder of each cgroup of that controller from the process's own upwards, and its path.
void each_level(const ProcFs &procfs, std::uint32_t pid, std::string_view controller,
                const std::function<void(const std::string &folder, std::string_view path)> &level) {
	for (const Cgroup &cgroup : procfs.cgroups(pid)) {
		const bool unified = cgroup.controllers.empty();
		if (!unified && !has_word(cgroup.controllers, controller)) {
			continue;
		}
		for (const CgroupMount &mount : cgroup_mounts(procfs)) {
			std::string_view path = cgroup.path;
			const bool other_kind = mount.unified != unified || (!unified && !has_word(mount.options, controller));
			if (other_kind || (mount.root != "/" && !path.starts_with(mount.root)) ||
			    path.find("/..") != std::string_view::npos) {
				continue;
			}
			const std::size_t above = mount.root == "/" ? 0 : mount.root.size();
			for (;;) {
				while (path.size() > above && path.ends_with('/')) {
					path.remove_suffix(1);
				}
				level(mount.point + std::string(path.substr(above)), path.empty() ? "/" : path);
				if (path.size() <= above || path.rfind('/') == std::string_view::npos) {
					break;
				}
				path = path.substr(0, std::max(above, path.rfind('/')));
			}
			break;
		}
	}
}

std::optional<CpuQuota> quota_of(const std::string &folder) {
	if (const auto text = read_pseudo_file(folder + "/cpu.max", file_bytes)) {
		return parse_cpu_max(*text);
	}
	const auto quota = number_in(folder + "/cpu.cfs_quota_us"); // "-1": none
	const auto period = number_in(folder + "/cpu.cfs_period_us");
	return quota && period && *period != 0 ? std::optional(CpuQuota{*quota, *period}) : std::nullopt;
}

} // namespace

std::optional<CpuQuota> parse_cpu_max(std::string_view text) {
	Words words(first_line(text));
	const auto quota = parse_number<std::uint64_t>(words.next());
	const auto period = parse_number<std::uint64_t>(words.next());
	return quota && period && *period != 0 ? std::optional(CpuQuota{*quota, *period}) : std::nullopt;
}

std::optional<CgroupLimit> cpu_limit(const ProcFs &procfs, std::uint32_t pid) {
	std::optional<CgroupLimit> tightest;
	each_level(procfs, pid, "cpu", [&](const std::string &folder, std::string_view path) {
		const auto quota = quota_of(folder);
		// Shares of a CPU, compared without dividing.
		if (quota && (!tightest || quota->quota_us * *tightest->cpu_period_ns < *tightest->cpu_quota_ns * quota->period_us)) {
			tightest = CgroupLimit{std::string(path), quota->quota_us * ns_per_us, quota->period_us * ns_per_us, std::nullopt};
		}
	});
	return tightest;
}

std::optional<CgroupLimit> memory_limit(const ProcFs &procfs, std::uint32_t pid) {
	constexpr std::uint64_t none = 1ULL << 60U; // v1 has a number near 2^63 for it
	std::optional<CgroupLimit> tightest;
	each_level(procfs, pid, "memory", [&](const std::string &folder, std::string_view path) {
		auto bytes = number_in(folder + "/memory.max");
		bytes = bytes ? bytes : number_in(folder + "/memory.limit_in_bytes");
		if (bytes && *bytes < none && (!tightest || *bytes < *tightest->memory_bytes)) {
			tightest = CgroupLimit{std::string(path), std::nullopt, std::nullopt, *bytes};
		}
	});
	return tightest;
}

} // namespace loopsnoop::process

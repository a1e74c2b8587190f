// SPDX-License-Identifier: Apache-2.0
#include "process/cgroup_cpu.h"

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "process/pseudo_file.h"
#include "process/text.h"

namespace loopsnoop::process {

namespace {

constexpr std::size_t cpu_stat_bytes = 65536;

struct Mount {
	std::string root; // the cgroup that is seen at `point`
	std::string point;
};

bool has_word(std::string_view list, std::string_view wanted) {
	while (!list.empty()) {
		const std::size_t comma = list.find(',');
		if (list.substr(0, comma) == wanted) {
			return true;
		}
		list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
	}
	return false;
}

// mountinfo writes blank, tab, newline and backslash of a path as \ooo.
std::string unescape_octal(std::string_view path) {
	std::string plain;
	plain.reserve(path.size());
	while (!path.empty()) {
		if (path.front() == '\\' && path.size() >= 4) {
			if (const auto code = parse_number<std::uint8_t>(path.substr(1, 3), 8)) {
				plain.push_back(static_cast<char>(*code));
				path.remove_prefix(4);
				continue;
			}
		}
		plain.push_back(path.front());
		path.remove_prefix(1);
	}
	return plain;
}

// "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAGS…] - TYPE SOURCE SUPER_OPTIONS". The mounts that show the hierarchy: v2's, or
// the v1 one that has the CPU controller.
std::vector<Mount> cgroup_mounts(const ProcFs &procfs, bool unified) {
	std::vector<Mount> mounts;
	each_line(procfs.root() + "/self/mountinfo", [&](std::string_view line) {
		const std::size_t dash = line.find(" - ");
		if (dash == std::string_view::npos) {
			return true;
		}
		Words type_words(line.substr(dash + 3));
		const std::string_view type = type_words.next();
		const std::string_view super_options = type_words.skip_and_next(1);
		if (unified ? type == "cgroup2" : (type == "cgroup" && has_word(super_options, "cpu"))) {
			Words words(line.substr(0, dash));
			const std::string_view root = words.skip_and_next(3);
			mounts.push_back({unescape_octal(root), unescape_octal(words.next())});
		}
		return true;
	});
	return mounts;
}

std::optional<CpuThrottling> read_upwards(const Mount &mount, std::string_view path) {
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
		for (const Mount &mount : cgroup_mounts(procfs, unified)) {
			if (const auto found = read_upwards(mount, cgroup.path)) {
				return found;
			}
		}
	}
	return std::nullopt;
}

} // namespace loopsnoop::process

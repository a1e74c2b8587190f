// SPDX-License-Identifier: Apache-2.0
#include "process/placement.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>

#include "process/cgroup_mounts.h"

namespace loopsnoop::process {

namespace {

constexpr std::size_t id_digits = 64;

bool is_id(std::string_view text) {
	return text.size() == id_digits &&
	       std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// "4f…", "docker-4f….scope", "cri-containerd-4f….scope", "libpod-4f….scope", "kubepods-….slice:cri-containerd:4f…". A process
// that only watches the container ("crio-conmon-4f….scope") is not in it.
std::string_view container_in(std::string_view part) {
	if (part.ends_with(".scope")) {
		part.remove_suffix(std::string_view(".scope").size());
	}
	if (part.size() < id_digits || !is_id(part.substr(part.size() - id_digits))) {
		return {};
	}
	const std::string_view before = part.substr(0, part.size() - id_digits);
	if (!before.empty() && ((before.back() != '-' && before.back() != ':') || before.find("conmon") != std::string_view::npos)) {
		return {};
	}
	return part.substr(part.size() - id_digits);
}

bool is_unit(std::string_view part) {
	constexpr std::array<std::string_view, 5> kinds{".service", ".scope", ".socket", ".mount", ".swap"};
	return std::ranges::any_of(kinds, [&](std::string_view kind) { return part.size() > kind.size() && part.ends_with(kind); });
}

// From the innermost part on.
Placement placement_in(std::string_view path) {
	Placement found;
	while (!path.empty()) {
		const std::size_t slash = path.rfind('/');
		const std::string_view part = path.substr(slash == std::string_view::npos ? 0 : slash + 1);
		path = path.substr(0, slash == std::string_view::npos ? 0 : slash);
		if (const std::string_view id = container_in(part); !id.empty()) {
			found.container = id;
			return found; // what lies further out is the host's, and runs the container's engine
		}
		if (found.unit.empty() && is_unit(part)) {
			found.unit = part;
		}
	}
	return found;
}

} // namespace

Placement placement_of(std::span<const Cgroup> cgroups) {
	Placement found;
	const auto take = [&](const Cgroup &cgroup) {
		Placement here = placement_in(cgroup.path);
		if (found.container.empty()) {
			found.container = std::move(here.container);
		}
		if (found.unit.empty()) {
			found.unit = std::move(here.unit);
		}
	};
	// Of v1 systemd's own hierarchy is the one that always has the unit.
	for (const Cgroup &cgroup : cgroups) {
		if (cgroup.controllers == "name=systemd" || cgroup.controllers.empty()) {
			take(cgroup);
		}
	}
	for (const Cgroup &cgroup : cgroups) {
		take(cgroup);
	}
	return found;
}

std::string cgroup_path(const ProcFs &procfs, std::string_view text) {
	std::string path(text);
	while (path.size() > 1 && path.ends_with('/')) {
		path.pop_back();
	}
	for (const CgroupMount &mount : cgroup_mounts(procfs)) {
		if (mount.point != "/" && path.starts_with(mount.point) &&
		    (path.size() == mount.point.size() || path[mount.point.size()] == '/')) {
			path = (mount.root == "/" ? "" : mount.root) + path.substr(mount.point.size());
			break;
		}
	}
	if (!path.starts_with('/')) {
		path.insert(path.begin(), '/');
	}
	return path;
}

bool is_in_cgroup(std::span<const Cgroup> cgroups, std::string_view path) {
	return std::ranges::any_of(cgroups, [&](const Cgroup &cgroup) {
		return path == "/" || cgroup.path == path ||
		       (cgroup.path.size() > path.size() && cgroup.path.starts_with(path) && cgroup.path[path.size()] == '/');
	});
}

bool cgroup_exists(const ProcFs &procfs, const std::string &path) {
	for (const CgroupMount &mount : cgroup_mounts(procfs)) {
		const bool below = mount.root == "/" || path == mount.root || path.starts_with(mount.root + "/");
		const std::string inside = mount.root == "/" ? path : path.substr(std::min(path.size(), mount.root.size()));
		if (below && access((mount.point + inside).c_str(), F_OK) == 0) {
			return true;
		}
	}
	// Its file system may be mounted elsewhere: /proc shows the cgroup all the same.
	return std::ranges::any_of(procfs.pids(), [&](std::uint32_t pid) { return is_in_cgroup(procfs.cgroups(pid), path); });
}

} // namespace loopsnoop::process

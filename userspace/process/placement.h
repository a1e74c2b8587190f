// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/session.h"
#include "process/procfs.h"

namespace loopsnoop::process {

// Which container and which systemd unit a process belongs to, by the paths of its cgroups: docker, containerd, cri-o,
// podman, with and without Kubernetes, cgroup v1 and v2, innermost first. An id is 64 hexadecimal digits, as all of them make
// them.
[[nodiscard]] Placement placement_of(std::span<const Cgroup> cgroups);

// A cgroup as a person writes it ("system.slice/x.service", "/system.slice/x.service/", below the mount point of a cgroup file
// system, too) as /proc/PID/cgroup has it: "/system.slice/x.service".
[[nodiscard]] std::string cgroup_path(const ProcFs &procfs, std::string_view text);
// A process with these cgroups is in `path` or below it.
[[nodiscard]] bool is_in_cgroup(std::span<const Cgroup> cgroups, std::string_view path);
// A folder of a mounted cgroup file system has that path, or a process that runs now is in it.
[[nodiscard]] bool cgroup_exists(const ProcFs &procfs, const std::string &path);

} // namespace loopsnoop::process

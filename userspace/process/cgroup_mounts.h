// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "process/procfs.h"

namespace loopsnoop::process {

// A cgroup file system in our own mount namespace.
struct CgroupMount {
	std::string root;    // the cgroup that is seen at `point`
	std::string point;   // where it is mounted
	bool unified = true; // v2
	std::string options; // "rw,cpu,cpuacct": of v1 which controllers
};
[[nodiscard]] std::vector<CgroupMount> cgroup_mounts(const ProcFs &procfs);

// "cpu,cpuacct" has the word "cpu".
[[nodiscard]] bool has_word(std::string_view list, std::string_view wanted);

} // namespace loopsnoop::process

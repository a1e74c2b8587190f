// SPDX-License-Identifier: Apache-2.0
#include "own_programs.h"

#include <bpf/bpf.h>

#include <filesystem>
#include <string_view>
#include <system_error>

namespace loopsnoop::bench {

Result<UniqueFd> count_runs() {
	UniqueFd counting(bpf_enable_stats(BPF_STATS_RUN_TIME));
	if (!counting.valid()) {
		return errno_error("count the runs of BPF programs");
	}
	return counting;
}

std::map<std::string, Runs> own_programs() {
	std::map<std::string, Runs> found;
	for (const auto &entry : std::filesystem::directory_iterator("/proc/self/fd")) {
		std::error_code gone;
		if (std::filesystem::read_symlink(entry.path(), gone).string() != "anon_inode:bpf-prog") {
			continue;
		}
		bpf_prog_info info{};
		std::uint32_t size = sizeof(info);
		if (bpf_obj_get_info_by_fd(std::stoi(entry.path().filename().string()), &info, &size) == 0) {
			found[&info.name[0]] = Runs{info.run_cnt, info.run_time_ns};
		}
	}
	return found;
}

} // namespace loopsnoop::bench

// SPDX-License-Identifier: Apache-2.0
#include "discovery/loop_evidence.h"

#include <string>

#include "process/pseudo_file.h"

namespace loopsnoop::discovery {

bool has_event_queue(const process::ProcFs &proc, std::uint32_t pid) {
	constexpr int most = 1024;
	const std::string folder = proc.path_of(pid, "fd");
	bool found = false;
	int looked_at = 0;
	process::each_number(folder, [&](std::uint32_t fd) {
		const auto target = process::read_link(folder + "/" + std::to_string(fd));
		found = target == "anon_inode:[eventpoll]" || target == "anon_inode:[io_uring]";
		return !found && ++looked_at < most;
	});
	return found;
}

} // namespace loopsnoop::discovery

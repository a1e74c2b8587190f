// SPDX-License-Identifier: Apache-2.0
#include "inspect/ready_descriptors.h"

#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "process/pseudo_file.h"
#include "process/socket_table.h"
#include "process/tcp_diag.h"
#include "process/text.h"

namespace loopsnoop::inspect {

// "tfd:       12 events:       19 data: …" of an epoll descriptor's fdinfo; edge-triggered ones report a state once.
std::vector<int> level_triggered(const process::ProcFs &proc, std::uint32_t pid, int epoll_fd) {
	constexpr std::uint32_t edge = 1U << 31U;
	constexpr std::uint32_t oneshot = 1U << 30U;
	constexpr std::uint32_t in = 1;
	std::vector<int> fds;
	process::each_line(proc.path_of(pid, "fdinfo/" + std::to_string(epoll_fd)), [&](std::string_view line) {
		process::Words words(line);
		if (words.next() != "tfd:") {
			return true;
		}
		const auto fd = process::parse_number<int>(words.next());
		const auto events = words.next() == "events:" ? process::parse_number<std::uint32_t>(words.next(), 16) : std::nullopt;
		if (fd && events && (*events & (edge | oneshot)) == 0 && (*events & in) != 0) {
			fds.push_back(*fd);
		}
		return true;
	});
	std::ranges::sort(fds);
	return fds;
}

bool seems_ready(Resolver &resolver, std::uint32_t pid, const DescriptorSnapshot &descriptor) {
	switch (descriptor.kind) {
	case DescriptorKind::socket:
		if (descriptor.family == AF_UNIX) {
			return descriptor.type == SOCK_STREAM && descriptor.state == process::state_established &&
			       descriptor.unix_peer_inode == 0;
		}
		return descriptor.state == process::state_close_wait;
	case DescriptorKind::pipe: return !descriptor.writable_end && !resolver.peer(pid, descriptor);
	default: return false;
	}
}

} // namespace loopsnoop::inspect

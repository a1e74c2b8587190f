// SPDX-License-Identifier: Apache-2.0
#include "discovery/loop_evidence.h"

#include <algorithm>
#include <string>

#include "process/pseudo_file.h"

namespace loopsnoop::discovery {

namespace {

// So many are enough to know.
bool has_event_queues(const process::ProcFs &proc, std::uint32_t pid, int enough) {
	constexpr int max_examined = 1024;
	const std::string folder = proc.path_of(pid, "fd");
	int found = 0;
	int examined = 0;
	process::each_number(folder, [&](std::uint32_t fd) {
		const auto target = process::read_link(folder + "/" + std::to_string(fd));
		found += target == "anon_inode:[eventpoll]" || target == "anon_inode:[io_uring]" ? 1 : 0;
		return found < enough && ++examined < max_examined;
	});
	return found >= enough;
}

// A forked process has its parent's descriptors, too.
bool is_inherited(const process::ProcFs &proc, std::uint32_t pid, const process::EventQueue &queue) {
	const auto status = proc.status(pid);
	if (!status) {
		return false;
	}
	const auto parents = process::read_link(proc.path_of(status->ppid, "fd/" + std::to_string(queue.fd)));
	return parents == "anon_inode:[eventpoll]" && proc.epoll_targets(status->ppid, queue.fd) == queue.watches;
}

} // namespace

bool has_event_queue(const process::ProcFs &proc, std::uint32_t pid) { return has_event_queues(proc, pid, 1); }

bool has_several_event_queues(const process::ProcFs &proc, std::uint32_t pid) { return has_event_queues(proc, pid, 2); }

std::optional<int> interrupted_loop(const process::ProcFs &proc, std::uint32_t pid, const process::ServingSockets &sockets,
                                    int waits_on, const std::set<int> &waited_on) {
	const auto own = std::ranges::find(sockets.queues, waits_on, &process::EventQueue::fd);
	if (own == sockets.queues.end() || own->serves) {
		return std::nullopt;
	}
	const process::EventQueue *best = nullptr;
	for (const process::EventQueue &queue : sockets.queues) {
		const bool nested = std::ranges::find(own->watches, queue.fd) != own->watches.end();
		if (queue.serves && !waited_on.contains(queue.fd) && !nested && !is_inherited(proc, pid, queue) &&
		    (best == nullptr || queue.watches.size() > best->watches.size())) {
			best = &queue;
		}
	}
	return best != nullptr ? std::optional(best->fd) : std::nullopt;
}

} // namespace loopsnoop::discovery

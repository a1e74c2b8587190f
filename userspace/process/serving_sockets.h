// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/stall.h"
#include "process/procfs.h"

namespace loopsnoop::process {

// An epoll descriptor.
struct EventQueue {
	int fd = -1;
	std::vector<int> watches; // ascending
	bool serves = false;      // one of these is a listening or a network socket
};

// What a process's descriptors say of whether it serves, or has served, anybody.
struct ServingSockets {
	std::vector<Listener> listening; // TCP and unix sockets that it listens on, by address
	bool event_queue = false;        // it has an epoll descriptor or an io_uring
	std::vector<EventQueue> queues;  // its epoll descriptors, the first few
	bool accepted = false; // it has a connection that was made to a listening socket, or one of its own ended in the last minute
};

// As they are now. nullopt: its descriptors may not be read, or it is gone. Goes through its descriptors and the socket tables of
// its network namespace once.
[[nodiscard]] std::optional<ServingSockets> serving_sockets(const ProcFs &procfs, std::uint32_t pid);

} // namespace loopsnoop::process

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/resource.h"

namespace loopsnoop {

enum class DescriptorKind : std::uint8_t { unknown, file, directory, block_device, character_device, pipe, socket, anonymous };

// A file descriptor as the kernel side saw it at the moment of the wait: it may be closed or reused by the time this is read.
struct DescriptorSnapshot {
	int fd = -1;
	DescriptorKind kind = DescriptorKind::unknown;
	std::uint64_t inode = 0;
	std::uint64_t device = 0;
	bool writable_end = false;       // pipes: the descriptor is open for writing
	std::optional<std::string> path; // files, FIFOs, "anon_inode:[eventfd]"
	// Sockets: numbers as in <linux/socket.h> and <netinet/tcp.h>; addresses in text.
	std::uint16_t family = 0;
	std::uint16_t type = 0;
	std::uint16_t protocol = 0;
	std::uint8_t state = 0;
	std::optional<std::string> local;
	std::optional<std::string> remote;
	std::optional<std::string> unix_path;
	std::uint32_t unix_peer_pid = 0;   // credentials' pid of the other end, 0: none
	std::uint64_t unix_peer_inode = 0; // socket inode of the other end, 0: none
};

} // namespace loopsnoop

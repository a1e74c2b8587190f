// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "process/procfs.h"
#include "process/sock_diag.h"

namespace loopsnoop::process {

// Asks the kernel (NETLINK_SOCK_DIAG, CONFIG_UNIX_DIAG) how the unix sockets of one network namespace are connected, which no
// file of /proc shows. Answers within 100 ms or not at all. One thread at a time.
class UnixDiag {
public:
	// As SockDiag::open.
	[[nodiscard]] static std::optional<UnixDiag> open(const std::string &namespace_path);

	// Inode of the other end; 0: there is one that no process has yet (not accepted). nullopt: not connected, or not known.
	[[nodiscard]] std::optional<std::uint32_t> peer_of(std::uint32_t inode);
	// The listening socket that has not yet accepted the connection of `inode`.
	[[nodiscard]] std::optional<std::uint32_t> listener_holding(std::uint32_t inode);

private:
	friend std::optional<UnixDiag> unix_diag_of(const ProcFs &procfs, std::uint32_t pid);
	explicit UnixDiag(SockDiag diag) : diag_(std::move(diag)) {}

	SockDiag diag_;
};

// One socket of a stream (or of whole messages in order).
struct UnixSocket {
	std::uint32_t inode = 0;
	std::uint8_t state = 0;
	std::string path;         // "@name" of an abstract one; empty: it has none. Of an accepted one that of its listener
	std::uint32_t peer = 0;   // inode; 0: none, or not accepted yet
	std::uint64_t unread = 0; // bytes; of a listening socket, connections that wait to be accepted
};

// One answer: a unix_diag_msg and its attributes. nullopt: too short, or a datagram socket.
[[nodiscard]] std::optional<UnixSocket> parse_unix_message(std::span<const std::byte> message);

// Every such socket of the namespace that listens or is connected. False: not all could be had.
bool each_unix_stream(SockDiag &diag, const std::function<void(UnixSocket &&socket)> &on_socket);

// Of the network namespace of a process. nullopt, too, where the namespaces are not known: a fixture tree is never asked about.
[[nodiscard]] std::optional<UnixDiag> unix_diag_of(const ProcFs &procfs, std::uint32_t pid);

} // namespace loopsnoop::process

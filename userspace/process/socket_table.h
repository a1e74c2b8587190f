// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "process/socket_address.h"

namespace loopsnoop::process {

// Numbers of sock->state, which all families share (<netinet/tcp.h>).
inline constexpr std::uint8_t state_established = 1;
inline constexpr std::uint8_t state_syn_sent = 2;
inline constexpr std::uint8_t state_close = 7;
inline constexpr std::uint8_t state_listen = 10;

// A line of /proc/PID/net/{tcp,tcp6,udp,udp6,raw,raw6}.
struct InetEntry {
	SocketAddress local;
	SocketAddress remote;
	std::uint8_t state = 0;
	std::uint64_t inode = 0;         // 0: no process has it: not accepted yet, or closing
	std::uint64_t receive_queue = 0; // bytes; of a listening socket, connections that wait to be accepted
};
[[nodiscard]] std::optional<InetEntry> parse_inet_line(std::string_view line);

// A line of /proc/PID/net/unix.
struct UnixEntry {
	std::uint16_t type = 0;
	std::uint8_t state = 0;
	bool listening = false;
	std::uint64_t inode = 0; // 0: not accepted yet
	std::string path;        // abstract ones start with '@'; empty: not bound
};
[[nodiscard]] std::optional<UnixEntry> parse_unix_line(std::string_view line);

// Calls with each entry of the table until `entry` returns false. False: the table is not there.
bool each_inet_socket(const std::string &table_path, const std::function<bool(const InetEntry &)> &entry);
bool each_unix_socket(const std::string &table_path, const std::function<bool(const UnixEntry &)> &entry);

} // namespace loopsnoop::process

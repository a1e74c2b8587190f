// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "process/sock_diag.h"
#include "process/socket_address.h"

namespace loopsnoop::process {

// What went over a TCP connection, as the kernel counts it (struct tcp_info, include/uapi/linux/tcp.h). Without SYN and FIN; what
// was sent again counts once in `bytes_sent` only where it was acknowledged. Ages are in whole ticks of the kernel (1 to 10 ms);
// before the first byte they count from when the connection was made.
struct TcpTraffic {
	std::uint64_t bytes_sent = 0;
	std::uint64_t bytes_received = 0; // a FIN counts one
	std::uint32_t segments_sent = 0;  // with data
	std::uint32_t segments_received = 0;
	std::uint64_t sent_ago_ns = 0;
	std::uint64_t received_ago_ns = 0;
};

struct TcpSocket {
	SocketAddress local;
	SocketAddress remote;
	std::uint8_t state = 0;
	std::uint64_t inode = 0;                 // 0: no process has it: not accepted yet, or closed
	std::uint64_t cookie = 0;                // names the socket for as long as the kernel runs
	std::uint64_t unread = 0;                // bytes; of a listening socket, connections that wait to be accepted
	std::uint64_t unsent = 0;                // bytes, those not acknowledged included; of a listening socket, its backlog
	std::optional<std::uint64_t> closing_ns; // in TIME_WAIT: how long it still has of a minute
	std::optional<TcpTraffic> traffic;
};

// One answer: an inet_diag_msg and its attributes. nullopt: too short, or of another family.
[[nodiscard]] std::optional<TcpSocket> parse_tcp_message(std::span<const std::byte> message);

// Bits 1 << state of socket_table.h.
inline constexpr std::uint8_t state_time_wait = 6;
inline constexpr std::uint8_t state_close_wait = 8;

// Every TCP socket of the namespace, over IPv4 and IPv6, in one of `states`. False: not all could be had.
bool each_tcp_socket(SockDiag &diag, std::uint32_t states, const std::function<void(const TcpSocket &socket)> &on_socket);

} // namespace loopsnoop::process

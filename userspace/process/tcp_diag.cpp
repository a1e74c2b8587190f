// SPDX-License-Identifier: Apache-2.0
#include "process/tcp_diag.h"

#include <linux/inet_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "process/socket_table.h"

namespace loopsnoop::process {

namespace {

constexpr std::uint64_t ns_per_ms = 1'000'000;

SocketAddress address_of(std::uint8_t family, std::span<const __be32, 4> words, __be16 port) {
	SocketAddress address;
	address.port = ntohs(port);
	if (family == AF_INET) {
		address.ip[10] = address.ip[11] = 0xff;
		std::memcpy(address.ip.data() + 12, words.data(), 4);
	} else {
		std::memcpy(address.ip.data(), words.data(), address.ip.size());
	}
	return address;
}

// A kernel fills in as much of the struct as it knows: what is missing stays 0.
TcpTraffic traffic_of(std::span<const std::byte> value) {
	tcp_info info{};
	std::memcpy(&info, value.data(), std::min(value.size(), sizeof info));
	TcpTraffic traffic;
	const std::uint64_t again = std::min<std::uint64_t>(info.tcpi_bytes_retrans, info.tcpi_bytes_sent);
	traffic.bytes_sent = info.tcpi_bytes_sent - again;
	traffic.bytes_received = info.tcpi_bytes_received;
	traffic.segments_sent = info.tcpi_data_segs_out;
	traffic.segments_received = info.tcpi_data_segs_in;
	traffic.sent_ago_ns = info.tcpi_last_data_sent * ns_per_ms;
	traffic.received_ago_ns = info.tcpi_last_data_recv * ns_per_ms;
	return traffic;
}

} // namespace

std::optional<TcpSocket> parse_tcp_message(std::span<const std::byte> message) {
	inet_diag_msg head{};
	if (message.size() < sizeof head) {
		return std::nullopt;
	}
	std::memcpy(&head, message.data(), sizeof head);
	if (head.idiag_family != AF_INET && head.idiag_family != AF_INET6) {
		return std::nullopt;
	}
	TcpSocket socket;
	socket.local = address_of(head.idiag_family, head.id.idiag_src, head.id.idiag_sport);
	socket.remote = address_of(head.idiag_family, head.id.idiag_dst, head.id.idiag_dport);
	socket.state = head.idiag_state;
	socket.inode = head.idiag_inode;
	socket.cookie = head.id.idiag_cookie[0] | static_cast<std::uint64_t>(head.id.idiag_cookie[1]) << 32U;
	socket.unread = head.idiag_rqueue;
	socket.unsent = head.idiag_wqueue;
	if (head.idiag_state == state_time_wait) {
		socket.closing_ns = head.idiag_expires * ns_per_ms; // inet_twsk_diag_fill()
	}
	each_diag_attribute(message, sizeof head, [&](std::uint16_t type, std::span<const std::byte> value) {
		if (type == INET_DIAG_INFO && socket.state != state_listen) {
			socket.traffic = traffic_of(value);
		}
	});
	return socket;
}

bool each_tcp_socket(SockDiag &diag, std::uint32_t states, const std::function<void(const TcpSocket &socket)> &on_socket) {
	bool all = true;
	for (const int family : {AF_INET, AF_INET6}) {
		inet_diag_req_v2 request{};
		request.sdiag_family = static_cast<std::uint8_t>(family);
		request.sdiag_protocol = IPPROTO_TCP;
		request.idiag_ext = 1U << (INET_DIAG_INFO - 1U);
		request.idiag_states = states;
		all = diag.ask(std::as_bytes(std::span(&request, 1)), SockDiag::Answers::dump, [&](std::span<const std::byte> message) {
			if (const auto socket = parse_tcp_message(message)) {
				on_socket(*socket);
			}
		}) && all;
	}
	return all;
}

} // namespace loopsnoop::process

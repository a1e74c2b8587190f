// SPDX-License-Identifier: Apache-2.0
#include "process/resource_of.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>

#include "process/socket_address.h"
#include "process/socket_table.h"

namespace loopsnoop::process {

namespace {

struct NumberName {
	unsigned number;
	std::string_view name;
};

constexpr std::array inet_protocols{
    NumberName{IPPROTO_ICMP, "icmp"}, NumberName{IPPROTO_TCP, "tcp"},         NumberName{IPPROTO_UDP, "udp"},
    NumberName{IPPROTO_DCCP, "dccp"}, NumberName{IPPROTO_ICMPV6, "icmpv6"},   NumberName{IPPROTO_SCTP, "sctp"},
    NumberName{262, "mptcp"},         NumberName{IPPROTO_UDPLITE, "udplite"},
};

constexpr std::array families{
    NumberName{AF_UNIX, "unix"},     NumberName{AF_NETLINK, "netlink"},
    NumberName{AF_PACKET, "packet"}, NumberName{AF_VSOCK, "vsock"},
    NumberName{AF_ALG, "alg"},       NumberName{AF_CAN, "can"},
    NumberName{AF_TIPC, "tipc"},     NumberName{AF_BLUETOOTH, "bluetooth"},
    NumberName{AF_RXRPC, "rxrpc"},   NumberName{AF_XDP, "xdp"},
    NumberName{AF_SMC, "smc"},       NumberName{AF_KCM, "kcm"},
    NumberName{AF_QIPCRTR, "qrtr"},  NumberName{AF_KEY, "key"},
    NumberName{AF_PPPOX, "pppox"},   NumberName{AF_RDS, "rds"},
};

// By number, from 1 on (include/net/tcp_states.h).
constexpr std::array<std::string_view, 12> states{"ESTABLISHED", "SYN_SENT",  "SYN_RECV", "FIN_WAIT1",
                                                  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",    "CLOSE_WAIT",
                                                  "LAST_ACK",    "LISTEN",    "CLOSING",  "NEW_SYN_RECV"};

std::string_view inet_protocol(std::uint16_t type, std::uint16_t protocol) {
	if (type == SOCK_RAW) {
		return "raw";
	}
	for (const NumberName &entry : inet_protocols) {
		if (entry.number == protocol) {
			return entry.name;
		}
	}
	if (protocol == 0 && type == SOCK_STREAM) {
		return "tcp";
	}
	if (protocol == 0 && type == SOCK_DGRAM) {
		return "udp";
	}
	return "inet";
}

// The text as parse_address would write it; null for "no address yet" (0.0.0.0:0).
std::optional<std::string> plain_address(const std::optional<std::string> &text) {
	if (!text || text->empty()) {
		return std::nullopt;
	}
	const auto address = parse_address(*text);
	if (!address) {
		return text;
	}
	if (address->port == 0 && address->is_any()) {
		return std::nullopt;
	}
	return address->text();
}

std::optional<std::string> state_text(const DescriptorSnapshot &snapshot) {
	const auto name = socket_state_name(snapshot.state);
	if (!name) {
		return std::nullopt;
	}
	const bool connectionless = snapshot.type == SOCK_DGRAM || snapshot.type == SOCK_RAW;
	if (snapshot.state == state_close && connectionless) {
		return "UNCONN"; // as ss says it: nothing was closed
	}
	return std::string(*name);
}

} // namespace

std::string protocol_name(std::uint16_t family, std::uint16_t type, std::uint16_t protocol) {
	if (family == 0) {
		return "unknown";
	}
	if (family == AF_INET) {
		return std::string(inet_protocol(type, protocol));
	}
	if (family == AF_INET6) {
		const std::string name(inet_protocol(type, protocol));
		return name.ends_with("v6") ? name : name + "6";
	}
	for (const NumberName &entry : families) {
		if (entry.number == family) {
			return std::string(entry.name);
		}
	}
	return "family_" + std::to_string(family);
}

std::optional<std::string_view> socket_state_name(std::uint8_t state) {
	if (state == 0 || state > states.size()) {
		return std::nullopt;
	}
	return states.at(state - 1U);
}

Resource to_resource(const DescriptorSnapshot &snapshot) {
	const std::optional<int> fd = snapshot.fd >= 0 ? std::optional(snapshot.fd) : std::nullopt;
	if (snapshot.kind == DescriptorKind::socket) {
		SocketResource socket;
		socket.fd = fd;
		socket.protocol = protocol_name(snapshot.family, snapshot.type, snapshot.protocol);
		socket.local = plain_address(snapshot.local);
		socket.remote = plain_address(snapshot.remote);
		if (snapshot.unix_path && !snapshot.unix_path->empty()) {
			socket.path = snapshot.unix_path;
		}
		socket.state = state_text(snapshot);
		return {socket};
	}
	const std::optional<std::string> path = snapshot.path && !snapshot.path->empty() ? snapshot.path : std::nullopt;
	if (snapshot.kind == DescriptorKind::pipe) {
		PipeResource pipe;
		pipe.fd = fd;
		if (path && path->starts_with('/')) {
			pipe.path = path; // "pipe:[4711]" is the name of no FIFO
		}
		return {pipe};
	}
	return {FileResource{fd, path}};
}

} // namespace loopsnoop::process

// SPDX-License-Identifier: Apache-2.0
// The part of PeerFinder that finds the socket at the other end of a TCP or UDP connection.
#include <fmt/format.h>

#include <array>
#include <set>
#include <string_view>

#include "process/local_address.h"
#include "process/peer_finder.h"
#include "process/pseudo_file.h"
#include "process/socket_table.h"

namespace loopsnoop::process {

namespace {

// How well a waiting socket fits what is sent to `remote`: 0 not at all; the kernel prefers the greater.
int fitness(const InetEntry &waiting, const SocketAddress &remote) {
	if (waiting.local.port != remote.port) {
		return 0;
	}
	if (waiting.local.ip == remote.ip) {
		return 3;
	}
	if (!waiting.local.is_any()) {
		return 0;
	}
	if (waiting.local.is_v4()) {
		return remote.is_v4() ? 2 : 0;
	}
	return 1; // "::" takes IPv4, too, unless it is IPV6_V6ONLY, which no table shows
}

// States of a connection's end that nobody has accepted yet (or whose other end already sent FIN meanwhile). An end without
// inode in any other state was closed by its process.
bool may_wait_for_accept(std::uint8_t state) {
	constexpr std::uint8_t syn_recv = 3;
	constexpr std::uint8_t close_wait = 8;
	constexpr std::uint8_t new_syn_recv = 12;
	return state == state_established || state == syn_recv || state == close_wait || state == new_syn_recv;
}

} // namespace

PeerFinder::InetEnd PeerFinder::end_in_namespace(std::uint32_t pid, const Connection &connection) const {
	const bool tcp = connection.transport == Transport::tcp;
	const std::array<std::string_view, 2> tables =
	    tcp ? std::array<std::string_view, 2>{"net/tcp", "net/tcp6"} : std::array<std::string_view, 2>{"net/udp", "net/udp6"};
	InetEnd end;
	int best = 0;
	for (const std::string_view table : tables) {
		each_inet_socket(procfs_.path_of(pid, table), [&](const InetEntry &entry) {
			if (entry.local == connection.remote && entry.remote == connection.local) {
				end.inode = entry.inode;
				end.not_accepted = end.not_accepted || (tcp && entry.inode == 0 && may_wait_for_accept(entry.state));
				return end.inode == 0;
			}
			if (entry.state != (tcp ? state_listen : state_close) || entry.remote.port != 0 || entry.inode == 0) {
				return true;
			}
			const int fits = fitness(entry, connection.remote);
			if (fits > best) {
				best = fits;
				end.listener = entry.inode;
			} else if (fits != 0 && fits == best && entry.inode != end.listener) {
				end.listener = 0; // SO_REUSEPORT: which of them gets it cannot be known
			}
			return true;
		});
		if (end.inode != 0) {
			break;
		}
	}
	return end;
}

std::uint64_t PeerFinder::other_end(std::uint32_t pid, const Connection &connection, SteadyTime deadline) const {
	const InetEnd end = end_in_namespace(pid, connection);
	if (end.inode != 0) {
		return end.inode;
	}
	if (end.not_accepted) {
		return end.listener;
	}
	const bool connected_tcp = connection.transport == Transport::tcp && connection.state != state_syn_sent;
	if (is_local_address(procfs_, pid, connection.remote)) {
		// Waiting to be connected (a full backlog answers no SYN), or a datagram socket that takes from anyone.
		return connected_tcp ? 0 : end.listener;
	}
	return end_in_other_namespaces(pid, connection, deadline);
}

std::uint64_t PeerFinder::end_in_other_namespaces(std::uint32_t pid, const Connection &connection, SteadyTime deadline) const {
	std::set<std::string> seen;
	if (const auto own = read_link(procfs_.path_of(pid, "ns/net"))) {
		seen.insert(*own);
	} else {
		return 0;
	}
	const bool connected_tcp = connection.transport == Transport::tcp && connection.state != state_syn_sent;
	std::uint64_t found = 0;
	std::uint64_t listener = 0;
	int listeners = 0;
	each_number(procfs_.root(), [&](std::uint32_t other) {
		if (std::chrono::steady_clock::now() >= deadline) {
			listeners = 0; // not all were seen: which one it is remains unknown
			return false;
		}
		const auto name = read_link(procfs_.path_of(other, "ns/net"));
		if (!name || !seen.insert(*name).second) {
			return true;
		}
		const InetEnd end = end_in_namespace(other, connection);
		if (end.inode != 0) {
			found = end.inode;
		} else if (end.not_accepted) {
			found = end.listener;
		} else if (!connected_tcp && end.listener != 0 && is_local_address(procfs_, other, connection.remote)) {
			listener = end.listener;
			++listeners; // isolated networks may use the same addresses
		}
		return found == 0;
	});
	if (found != 0) {
		return found;
	}
	return listeners == 1 ? listener : 0;
}

} // namespace loopsnoop::process

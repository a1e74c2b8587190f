// SPDX-License-Identifier: Apache-2.0
#include "process/connections.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "process/pseudo_file.h"
#include "process/socket_table.h"
#include "process/text.h"

namespace loopsnoop::process {

namespace {

constexpr std::uint64_t dump_lifetime_ns = ns_per_s;
constexpr std::uint64_t list_lifetime_ns = 60 * ns_per_s;
constexpr std::uint64_t time_wait_ns = 60 * ns_per_s; // TCP_TIMEWAIT_LEN
constexpr std::size_t max_sockets = 262'144;          // of a namespace
constexpr std::size_t max_descriptors = 262'144;      // of a process
constexpr std::size_t max_remotes = 16;
// Fewer bytes than this are no request: "GET / HTTP/1.0" with its two line ends is 18, an acknowledgement of HTTP/2 under TLS 35.
constexpr std::uint64_t least_request = 40;
// Of a connection to itself: wakes itself with a byte each time, and is one-way after eight of them.
constexpr std::uint64_t least_own_request = 18;
constexpr std::size_t max_unix_waiting = 64; // in one accept queue

bool is_connection(const TcpSocket &socket) { return socket.state == state_established || socket.state == state_close_wait; }

bool sent_last_by_remote(const TcpTraffic &traffic) {
	return traffic.bytes_received > 0 && (traffic.bytes_sent == 0 || traffic.received_ago_ns < traffic.sent_ago_ns);
}

// Whoever asks sends some segments for each answer, or full ones (an upload). Many small ones and no answers are no questions.
bool is_one_way(const TcpTraffic &traffic) {
	constexpr std::uint32_t spare_segments = 8;
	constexpr std::uint64_t upload_segment = 512;
	return traffic.segments_received > traffic.segments_sent + spare_segments &&
	       traffic.bytes_received / traffic.segments_received < upload_segment;
}

WaitingClient client_of(const TcpSocket &socket, const TcpTraffic &traffic) {
	WaitingClient client;
	client.local = socket.local.text();
	client.remote = socket.remote.text();
	client.waited_ns = traffic.received_ago_ns;
	client.unread_bytes = socket.unread;
	client.accepted = socket.inode != 0;
	client.one_way = is_one_way(traffic);
	return client;
}

struct ByAddress {
	bool operator()(const SocketAddress &a, const SocketAddress &b) const { return a.ip < b.ip; }
};

// Those with most connections; of as many the same ones each time.
template <typename Counts, typename Text> std::vector<RemoteCount> busiest(const Counts &counts, Text text) {
	std::vector<typename Counts::const_iterator> order;
	for (auto entry = counts.begin(); entry != counts.end(); ++entry) {
		order.push_back(entry);
	}
	std::ranges::stable_sort(order, std::greater(), [](const auto &entry) { return entry->second; });
	std::vector<RemoteCount> out;
	for (std::size_t i = 0; i < std::min(order.size(), max_remotes); i++) {
		out.push_back({text(order[i]->first), order[i]->second});
	}
	return out;
}

// One pass over the sockets of a namespace.
class Sorting {
public:
	Sorting(const std::unordered_set<std::uint64_t> &own, std::uint64_t now_ns, ConnectionMemory &memory)
	    : own_(own), memory_(memory) {
		result_.time_ns = now_ns;
	}

	void learn_port(const TcpSocket &socket) {
		if (socket.state != state_listen) {
			return;
		}
		listening_anywhere_.insert(socket.local.port);
		if (own_.contains(socket.inode)) {
			memory_.ports.insert(socket.local.port);
			own_ports_.insert(socket.local.port);
			result_.listening.push_back({socket.local.text(), socket.unread});
		}
	}

	// Once the ports are known: a connection of the process to itself is no customer's.
	void learn_own_end(const TcpSocket &socket) {
		if (socket.state == state_established && own_ports_.contains(socket.remote.port) && own_.contains(socket.inode)) {
			own_ends_.insert(socket.local.text() + ' ' + socket.remote.text());
		}
	}

	void take(const TcpSocket &socket) {
		if (socket.state == state_time_wait) {
			if (memory_.ports.contains(socket.local.port)) {
				answered(time_wait_ns - std::min(time_wait_ns, socket.closing_ns.value_or(0)));
			}
		} else if (socket.state == state_syn_sent) {
			take_connecting(socket);
		} else if (is_connection(socket) && socket.traffic) {
			const bool inbound = memory_.ports.contains(socket.local.port) || listening_anywhere_.contains(socket.local.port);
			if (socket.inode == 0) {
				take_not_accepted(socket);
			} else if (own_.contains(socket.inode) && inbound) {
				take_inbound(socket);
			} else if (own_.contains(socket.inode)) {
				take_outbound(socket);
			}
		}
	}

	ConnectionsSnapshot finish() && {
		std::ranges::sort(result_.waiting, std::greater(), &WaitingClient::waited_ns);
		std::ranges::sort(result_.silent, std::greater(), &SilentUpstream::waited_ns);
		std::ranges::sort(result_.listening, {}, &Listener::address);
		result_.inbound_from = busiest(inbound_from_, [](const SocketAddress &from) { return from.ip_text(); });
		result_.outbound_to = busiest(outbound_to_, [](const std::string &to) { return to; });
		memory_.seen = std::move(seen_);
		memory_.connecting_since_ns = std::move(connecting_);
		return std::move(result_);
	}

private:
	void answered(std::uint64_t ago_ns) { result_.answered_ago_ns = std::min(result_.answered_ago_ns.value_or(ago_ns), ago_ns); }

	void take_not_accepted(const TcpSocket &socket) {
		if (!own_ports_.contains(socket.local.port)) {
			return;
		}
		if (socket.state == state_established) {
			result_.waiting.push_back(client_of(socket, *socket.traffic));
		} else {
			result_.gave_up++;
		}
	}

	void take_inbound(const TcpSocket &socket) {
		const TcpTraffic &traffic = *socket.traffic;
		if (traffic.bytes_sent > 0) {
			answered(traffic.sent_ago_ns);
		}
		const auto before = memory_.seen.find(socket.cookie);
		ConnectionMemory::Seen now{traffic.bytes_received, traffic.bytes_sent, socket.unread >= least_request};
		bool waits = sent_last_by_remote(traffic);
		if (before != memory_.seen.end() && before->second.bytes_sent == traffic.bytes_sent) {
			const std::uint64_t more = traffic.bytes_received - std::min(traffic.bytes_received, before->second.bytes_received);
			now.asked = now.asked || before->second.asked || more >= least_request;
			waits = waits || more > 0; // within one tick of the kernel's clock the ages cannot say
		}
		if (socket.state == state_established) {
			result_.inbound++;
			inbound_from_[SocketAddress{socket.remote.ip, 0}]++;
			result_.unread += socket.unread > 0 ? 1 : 0;
			// What it sends to itself wakes a loop, or is handed from one part to another; it waits for an answer of its own only
			// where it has sent a request's worth of bytes and has never got one.
			const bool is_own = waits && own_ends_.contains(socket.remote.text() + ' ' + socket.local.text());
			if (waits && (!is_own || (traffic.bytes_sent == 0 && traffic.bytes_received >= least_own_request))) {
				WaitingClient client = client_of(socket, traffic);
				client.asked = traffic.bytes_sent == 0 ? WaitingClient::Asked::first
				               : now.asked             ? WaitingClient::Asked::watched
				                                       : WaitingClient::Asked::last;
				result_.waiting.push_back(std::move(client));
			}
		} else if (waits && traffic.bytes_sent == 0 && traffic.bytes_received > 1) { // 1: nothing but the FIN
			result_.gave_up++;
		}
		seen_.emplace(socket.cookie, now);
	}

	void take_outbound(const TcpSocket &socket) {
		if (socket.state != state_established) {
			return;
		}
		const TcpTraffic &traffic = *socket.traffic;
		result_.outbound++;
		outbound_to_[socket.remote.text()]++;
		if (traffic.bytes_sent > 0 && (traffic.bytes_received == 0 || traffic.sent_ago_ns < traffic.received_ago_ns)) {
			result_.silent.push_back({socket.local.text(), socket.remote.text(), std::nullopt, traffic.sent_ago_ns, false});
		}
	}

	// The kernel does not say since when it has tried: since it was first seen.
	void take_connecting(const TcpSocket &socket) {
		if (!own_.contains(socket.inode)) {
			return;
		}
		const auto before = memory_.connecting_since_ns.find(socket.cookie);
		const std::uint64_t since = before != memory_.connecting_since_ns.end() ? before->second : result_.time_ns;
		connecting_.emplace(socket.cookie, since);
		result_.outbound++;
		outbound_to_[socket.remote.text()]++;
		result_.silent.push_back(
		    {socket.local.text(), socket.remote.text(), std::nullopt, result_.time_ns - std::min(result_.time_ns, since), true});
	}

	const std::unordered_set<std::uint64_t> &own_;
	ConnectionMemory &memory_;
	std::set<std::uint16_t> own_ports_;
	std::set<std::uint16_t> listening_anywhere_;
	std::set<std::string> own_ends_; // of connections to itself, those that it made: "local remote"
	std::map<SocketAddress, std::uint64_t, ByAddress> inbound_from_; // with port 0
	std::map<std::string, std::uint64_t> outbound_to_;
	std::unordered_map<std::uint64_t, ConnectionMemory::Seen> seen_;
	std::unordered_map<std::uint64_t, std::uint64_t> connecting_;
	ConnectionsSnapshot result_;
};

} // namespace

ConnectionsSnapshot sort_connections(std::span<const TcpSocket> sockets, const std::unordered_set<std::uint64_t> &own,
                                     std::uint64_t now_ns, ConnectionMemory &memory) {
	Sorting sorting(own, now_ns, memory);
	for (const TcpSocket &socket : sockets) {
		sorting.learn_port(socket);
	}
	for (const TcpSocket &socket : sockets) {
		sorting.learn_own_end(socket);
	}
	for (const TcpSocket &socket : sockets) {
		sorting.take(socket);
	}
	return std::move(sorting).finish();
}

void add_unix_customers(std::span<const UnixSocket> sockets, const std::unordered_set<std::uint64_t> &own,
                        ConnectionMemory &memory, ConnectionsSnapshot &snapshot) {
	std::unordered_map<std::uint32_t, ConnectionMemory::Unread> unread;
	std::set<std::string> paths;
	// When bytes were read and others came, the count looks the same, unless they are fewer.
	const auto since = [&](const UnixSocket &socket) {
		const auto before = memory.unread_unix.find(socket.inode);
		const bool same = before != memory.unread_unix.end() && before->second.count <= socket.unread;
		const std::uint64_t first = same ? before->second.since_ns : snapshot.time_ns;
		unread.emplace(socket.inode, ConnectionMemory::Unread{first, socket.unread});
		return snapshot.time_ns - std::min(snapshot.time_ns, first);
	};
	WaitingClient client;
	for (const UnixSocket &socket : sockets) {
		if (socket.state != state_listen || !own.contains(socket.inode)) {
			continue;
		}
		paths.insert(socket.path);
		snapshot.listening.push_back({socket.path, socket.unread});
		client.local = socket.path;
		client.accepted = false;
		client.waited_ns = socket.unread > 0 ? since(socket) : 0;
		snapshot.waiting.insert(snapshot.waiting.end(), std::min<std::uint64_t>(socket.unread, max_unix_waiting), client);
	}
	for (const UnixSocket &socket : sockets) {
		const bool inbound = socket.state == state_established && own.contains(socket.inode) && paths.contains(socket.path);
		if (!inbound || socket.unread == 0 || own.contains(socket.peer)) {
			continue;
		}
		client.local = socket.path;
		client.accepted = true;
		client.unread_bytes = socket.unread;
		client.waited_ns = since(socket);
		snapshot.unread++;
		snapshot.waiting.push_back(client);
	}
	std::ranges::stable_sort(snapshot.waiting, std::greater(), &WaitingClient::waited_ns);
	std::ranges::sort(snapshot.listening, {}, &Listener::address);
	memory.unread_unix = std::move(unread);
}

const Connections::Dump *Connections::dump(std::uint32_t pid, std::uint64_t now_ns) {
	const auto space = procfs_.ns_inode(pid, "net");
	if (!space) {
		return nullptr;
	}
	Dump &dump = dumps_[*space];
	if (dump.time_ns != 0 && now_ns - std::min(now_ns, dump.time_ns) < dump_lifetime_ns) {
		return &dump;
	}
	dump.sockets.clear();
	dump.unix_sockets.clear();
	auto diag = SockDiag::of(procfs_, pid);
	constexpr std::uint32_t states =
	    1U << state_established | 1U << state_syn_sent | 1U << state_time_wait | 1U << state_close_wait | 1U << state_listen;
	const bool complete = diag && each_tcp_socket(*diag, states, [&](const TcpSocket &socket) {
		                      if (dump.sockets.size() < max_sockets) {
			                      dump.sockets.push_back(socket);
		                      }
	                      });
	if (!complete) {
		dumps_.erase(*space);
		return nullptr;
	}
	(void)each_unix_stream(*diag, [&](UnixSocket &&socket) { // a kernel may be without
		if (dump.unix_sockets.size() < max_sockets) {
			dump.unix_sockets.push_back(std::move(socket));
		}
	});
	dump.time_ns = now_ns;
	return &dump;
}

bool Connections::list_sockets(std::uint32_t pid, Process &process, std::uint64_t now_ns) const {
	std::unordered_set<std::uint64_t> own;
	std::size_t descriptors = 0;
	const bool readable = each_number(procfs_.path_of(pid, "fd"), [&](std::uint32_t fd) {
		const auto link = read_link(procfs_.path_of(pid, "fd/" + std::to_string(fd)));
		if (const auto inode = link ? number_in_brackets<std::uint64_t>(*link, "socket:[") : std::nullopt) {
			own.insert(*inode);
		}
		return ++descriptors < max_descriptors;
	});
	if (readable) {
		process.own = std::move(own);
		process.listed_ns = now_ns;
	}
	return readable;
}

std::optional<ConnectionsSnapshot> Connections::snapshot(std::uint32_t pid, std::uint64_t now_ns) {
	const Dump *sockets = dump(pid, now_ns);
	if (sockets == nullptr) {
		forget(pid);
		return std::nullopt;
	}
	Process &process = processes_[pid];
	// A connection at its ports that is nobody's as far as is known may be a new one of its own, and somebody may wait there.
	const bool new_ones = std::ranges::any_of(sockets->sockets, [&](const TcpSocket &socket) {
		return socket.state == state_established && socket.inode != 0 && socket.traffic && sent_last_by_remote(*socket.traffic) &&
		       process.memory.ports.contains(socket.local.port) && !process.own.contains(socket.inode);
	});
	const bool new_unix = std::ranges::any_of(sockets->unix_sockets, [&](const UnixSocket &socket) {
		return socket.state == state_established && socket.unread > 0 && !process.own.contains(socket.inode) &&
		       std::ranges::any_of(sockets->unix_sockets, [&](const UnixSocket &listener) {
			       return listener.state == state_listen && process.own.contains(listener.inode) && listener.path == socket.path;
		       });
	});
	const bool old = process.listed_ns == 0 || now_ns - std::min(now_ns, process.listed_ns) >= list_lifetime_ns;
	if ((old || new_ones || new_unix) && !list_sockets(pid, process, now_ns)) {
		forget(pid);
		return std::nullopt;
	}
	ConnectionsSnapshot snapshot = sort_connections(sockets->sockets, process.own, now_ns, process.memory);
	add_unix_customers(sockets->unix_sockets, process.own, process.memory, snapshot);
	return snapshot;
}

bool Connections::children_listen(std::uint32_t pid) const {
	constexpr std::size_t max_children = 64;
	const auto process = processes_.find(pid);
	const auto sockets = procfs_.ns_inode(pid, "net");
	const auto dump = sockets ? dumps_.find(*sockets) : dumps_.end();
	if (process == processes_.end() || dump == dumps_.end()) {
		return false;
	}
	std::unordered_set<std::uint64_t> listening;
	for (const TcpSocket &socket : dump->second.sockets) {
		if (socket.state == state_listen && process->second.own.contains(socket.inode)) {
			listening.insert(socket.inode);
		}
	}
	for (const UnixSocket &socket : dump->second.unix_sockets) {
		if (socket.state == state_listen && process->second.own.contains(socket.inode)) {
			listening.insert(socket.inode);
		}
	}
	std::vector<std::uint32_t> children = procfs_.children(pid);
	children.resize(std::min(children.size(), max_children));
	return std::ranges::any_of(children, [&](std::uint32_t child) {
		bool shares = false;
		each_number(procfs_.path_of(child, "fd"), [&](std::uint32_t fd) {
			const auto link = read_link(procfs_.path_of(child, "fd/" + std::to_string(fd)));
			const auto inode = link ? number_in_brackets<std::uint64_t>(*link, "socket:[") : std::nullopt;
			shares = inode && listening.contains(*inode);
			return !shares;
		});
		return shares;
	});
}

} // namespace loopsnoop::process

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/connections.h"
#include "process/procfs.h"
#include "process/tcp_diag.h"
#include "process/unix_diag.h"

namespace loopsnoop::process {

// What is remembered of a process's customers between two snapshots. 40 bytes a connection.
struct ConnectionMemory {
	struct Seen {
		std::uint64_t bytes_received = 0;
		std::uint64_t bytes_sent = 0;
		bool asked = false; // a request came and nothing went out since
	};
	std::unordered_map<std::uint64_t, Seen> seen; // by cookie
	std::set<std::uint16_t> ports;                // that the process has listened on
	std::unordered_map<std::uint64_t, std::uint64_t> connecting_since_ns;
	// Unix sockets, of which the kernel has no times: with bytes, or connections, that were there already.
	struct Unread {
		std::uint64_t since_ns = 0;
		std::uint64_t count = 0;
	};
	std::unordered_map<std::uint32_t, Unread> unread_unix; // by inode
};

// Sorts the TCP sockets of a namespace by what they are to a process that has `own` as socket inodes: its customers, its
// upstreams, what waits in its accept queues. Pure; `memory` is brought up to date.
[[nodiscard]] ConnectionsSnapshot sort_connections(std::span<const TcpSocket> sockets,
                                                   const std::unordered_set<std::uint64_t> &own, std::uint64_t now_ns,
                                                   ConnectionMemory &memory);

// Adds the customers at its unix sockets, as far as the kernel shows them: those whose bytes the process does not read, and those
// that it does not accept; since they were first seen so. Whether a request that was read was answered, the kernel does not know.
void add_unix_customers(std::span<const UnixSocket> sockets, const std::unordered_set<std::uint64_t> &own,
                        ConnectionMemory &memory, ConnectionsSnapshot &snapshot);

// The connections of processes, from NETLINK_SOCK_DIAG in their network namespaces. A dump serves all processes of a namespace
// for a second. One thread. A dump of 10,000 connections takes a few milliseconds, the descriptors of a process with as many some
// more: these are listed anew after a minute, or when somebody waits whom no known descriptor explains.
class Connections {
public:
	explicit Connections(ProcFs procfs) : procfs_(std::move(procfs)) {}

	// nullopt: gone, not allowed, or not shown by this kernel.
	[[nodiscard]] std::optional<ConnectionsSnapshot> snapshot(std::uint32_t pid, std::uint64_t now_ns);
	// Whether a child of the process has one of its listening sockets, too: then they accept, not it.
	[[nodiscard]] bool children_listen(std::uint32_t pid) const;
	void forget(std::uint32_t pid) { processes_.erase(pid); }
	// Forgets all other processes.
	void keep_only(const std::set<std::uint32_t> &pids) {
		std::erase_if(processes_, [&](const auto &one) { return !pids.contains(one.first); });
	}
	// What a dump holds is given back.
	void rest() { dumps_.clear(); }

private:
	struct Dump {
		std::uint64_t time_ns = 0;
		std::vector<TcpSocket> sockets;
		std::vector<UnixSocket> unix_sockets;
	};
	struct Process {
		std::unordered_set<std::uint64_t> own; // inodes of its sockets
		std::uint64_t listed_ns = 0;
		ConnectionMemory memory;
	};
	[[nodiscard]] const Dump *dump(std::uint32_t pid, std::uint64_t now_ns);
	[[nodiscard]] bool list_sockets(std::uint32_t pid, Process &process, std::uint64_t now_ns) const;

	ProcFs procfs_;
	std::map<std::uint64_t, Dump> dumps_; // by namespace
	std::map<std::uint32_t, Process> processes_;
};

} // namespace loopsnoop::process

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "model/descriptor.h"
#include "model/resource.h"
#include "process/descriptor_search.h"
#include "process/procfs.h"
#include "process/socket_address.h"

namespace loopsnoop::process {

struct PeerLimits {
	std::chrono::nanoseconds budget = std::chrono::milliseconds(200); // of one call of find
	std::size_t remembered = 4096;                                    // answers kept, each kind
	std::chrono::nanoseconds miss_lifetime = std::chrono::seconds(1); // "nobody" is asked again after it
};

// Finds the process at the other end of a socket or pipe, when that end is on this machine. Never guesses: where the kernel
// cannot say which of several processes it is, the answer is none. Of processes that share the other end (pre-forked
// workers with one listening socket) it names the one with the lowest pid; the target itself only when nobody else has it, or
// when all others who have it have the target's end as well: they were forked from it and only inherited a loop's pipe to itself.
// Owned by one thread at a time.
//
// Not found: ends behind address translation, ends held by the kernel, processes whose descriptors we may not read.
class PeerFinder {
public:
	explicit PeerFinder(ProcFs procfs, PeerLimits limits = {});

	[[nodiscard]] std::optional<Peer> find(std::uint32_t pid, const DescriptorSnapshot &snapshot);
	// The process that has the other end of a pseudo-terminal: "/dev/pts/4".
	[[nodiscard]] std::optional<Peer> find_terminal(std::uint32_t pid, const std::string &path);

private:
	// Whether a descriptor of the process matches.
	[[nodiscard]] bool has(std::uint32_t pid, const DescriptorSearch::Match &match) const;

	struct InetEnd {
		std::uint64_t inode = 0;    // of the socket that is the other end
		bool not_accepted = false;  // there is another end, but no process has it yet
		std::uint64_t listener = 0; // that would accept; 0: none, or several that would do as well
	};
	enum class Transport : std::uint8_t { tcp, udp };
	struct Connection {
		Transport transport = Transport::tcp;
		std::uint8_t state = 0;
		SocketAddress local;
		SocketAddress remote;
	};

	[[nodiscard]] std::optional<std::uint32_t> find_inet(std::uint32_t pid, const DescriptorSnapshot &snapshot,
	                                                     SteadyTime deadline);
	[[nodiscard]] std::optional<std::uint32_t> find_unix(std::uint32_t pid, const DescriptorSnapshot &snapshot,
	                                                     SteadyTime deadline);
	[[nodiscard]] std::optional<std::uint32_t> find_pipe(std::uint32_t pid, const DescriptorSnapshot &snapshot,
	                                                     SteadyTime deadline);
	[[nodiscard]] std::optional<std::uint32_t> owner_of_socket(std::uint32_t pid, std::uint64_t inode, SteadyTime deadline);
	// Socket inode of the other end, or of the listener that has it; 0: not on this machine.
	[[nodiscard]] std::uint64_t other_end(std::uint32_t pid, const Connection &connection, SteadyTime deadline) const;
	[[nodiscard]] std::uint64_t end_in_other_namespaces(std::uint32_t pid, const Connection &connection,
	                                                    SteadyTime deadline) const;
	[[nodiscard]] InetEnd end_in_namespace(std::uint32_t pid, const Connection &connection) const;

	ProcFs procfs_;
	PeerLimits limits_;
	DescriptorSearch search_;
	std::unordered_map<std::string, SteadyTime> remote_; // connections whose other end was not on this machine, and when
};

} // namespace loopsnoop::process

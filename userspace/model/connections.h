// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/clients.h"
#include "model/resource.h"
#include "model/stall.h"

namespace loopsnoop {

// The connections of one process at one moment, as far as the kernel knows them: bytes and times, no contents. Of HTTP/2 and of
// pipelined requests it sees the connection, not the single request; of TLS, handshakes and alerts are bytes like others.

// An outgoing connection on which the process spoke last and has heard nothing since.
struct SilentUpstream {
	std::string local;
	std::string remote;
	std::optional<Peer> peer; // the process at the other end, where it is on this machine and was searched for
	std::uint64_t waited_ns = 0;
	bool connecting = false; // nobody has taken the connection yet
};

struct RemoteCount {
	std::string remote;
	std::uint64_t count = 0;
};

struct ConnectionsSnapshot {
	std::uint64_t time_ns = 0;          // CLOCK_MONOTONIC
	std::vector<WaitingClient> waiting; // oldest first, not accepted ones included
	std::uint64_t gave_up = 0;          // closed their end before they got a byte; the process has not closed its own
	std::uint64_t unread = 0;           // accepted connections with bytes that were not read
	std::uint64_t inbound = 0;          // accepted and established
	std::uint64_t outbound = 0;
	std::vector<RemoteCount> inbound_from; // addresses without ports, most first, 16 at most
	std::vector<RemoteCount> outbound_to;  // likewise, with ports
	std::vector<SilentUpstream> silent;    // oldest first
	std::vector<Listener> listening;       // with what waits to be accepted
	std::optional<std::uint64_t>
	    answered_ago_ns; // since a byte went to any customer; connections closed in the last minute count
};

} // namespace loopsnoop

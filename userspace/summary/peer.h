// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "model/stall.h"

namespace loopsnoop::summary {

struct PeerLink {
	std::string who;       // "log-shipper (pid 812)"
	std::string activity;  // ", which is waiting to send to …"; empty: it is idle, or not known
	bool inferred = false; // that it holds up the one before
};

// The processes that a stall waits for: the one at the other end of what the loop, or the last thread that holds it up, waits on,
// then the one that that waits for, and so on. Empty: there is none, or it is not known.
[[nodiscard]] std::vector<PeerLink> peer_chain(const Stall &stall);

// ", which itself waits for an answer from this process at other.py:12", and so on down the chain of processes; empty: it is
// idle, or not known. Of more than `links_said` processes the others are ", …".
[[nodiscard]] std::string format_peer_activity(const Stall &stall,
                                               std::size_t links_said = std::numeric_limits<std::size_t>::max());

// What a backend of PostgreSQL says in its title that it does: "UPDATE waiting", "idle in transaction"; empty: it is none.
[[nodiscard]] std::string_view activity_in_title(std::string_view title);

} // namespace loopsnoop::summary

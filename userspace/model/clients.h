// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace loopsnoop {

// A customer who sent something after the last byte that he got, or who has never got one.
struct WaitingClient {
	// How sure it is that he asked something, by what went over the connection.
	enum class Asked : std::uint8_t {
		first,   // no byte ever went to him
		watched, // a request's worth of bytes came since an earlier snapshot, and none went out
		last,    // he sent last: a request, or only the end of a handshake, an HTTP/2 acknowledgement, a WebSocket's message
	};
	std::string local; // "127.0.0.1:8000"; a path of a unix socket
	std::string remote;
	std::uint64_t waited_ns = 0; // since his last bytes came
	std::uint64_t unread_bytes = 0;
	Asked asked = Asked::first;
	bool accepted = true;
	bool one_way = false; // he sends on and on without ever being answered: a log shipper, a sensor. Nobody waits there
};

// The customers of a process who wait, counted, and the first of them.
struct Clients {
	std::uint64_t unanswered = 0; // accepted, asked, and got no byte since
	std::optional<std::uint64_t> oldest_ns;
	std::uint64_t unread = 0; // of these, what they sent was not even read
	std::uint64_t not_accepted = 0;
	std::uint64_t gave_up = 0;              // closed their end without a byte
	std::vector<WaitingClient> connections; // 16 at most, oldest first

	[[nodiscard]] bool any() const { return unanswered + not_accepted + gave_up > 0; }
};

} // namespace loopsnoop

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loopsnoop::exporter {

// What is used of a request's head (RFC 9112): the line, Host and Accept-Encoding.
struct HttpRequest {
	std::string method;
	std::string path; // without a query
	bool is_1_0 = false;
	std::optional<std::string> host; // as sent, with its port
	bool accepts_gzip = false;
};

// Bytes of a head that are read; whoever sends more is answered 431.
inline constexpr std::size_t max_head_bytes = 8192;

// Bytes up to and including the empty line that ends the head; 0: it has not come yet.
[[nodiscard]] std::size_t head_length(std::string_view received);

// Null: no HTTP request of version 1, or two of a header that may come once.
[[nodiscard]] std::optional<HttpRequest> parse_request(std::string_view head);

// Whom requests may be addressed to. A page of a stranger that has its own name resolve to this machine's address (DNS rebinding)
// makes a browser in our network read what we serve; but that browser says that name in Host. Addresses cannot be rebound.
class AllowedHosts {
public:
	// `names`: the listen address, this machine's name and what the user configured; compared without regard to case.
	explicit AllowedHosts(std::vector<std::string> names);
	// Any IP address, localhost and names below it, and those of the constructor. No Host: HTTP/1.0 alone, which browsers never
	// send.
	[[nodiscard]] bool allows(const HttpRequest &request) const;

private:
	std::vector<std::string> names_; // in lower case
};

} // namespace loopsnoop::exporter

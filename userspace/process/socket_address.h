// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace loopsnoop::process {

// An IP address and port. IPv4 is held, compared and printed the same whether it comes from an IPv4 or an IPv6 socket.
struct SocketAddress {
	std::array<std::uint8_t, 16> ip{}; // network order; IPv4 as ::ffff:a.b.c.d
	std::uint16_t port = 0;            // host order

	[[nodiscard]] bool operator==(const SocketAddress &) const = default;
	[[nodiscard]] bool is_v4() const;
	[[nodiscard]] bool is_any() const; // 0.0.0.0 or ::
	[[nodiscard]] bool is_loopback() const;
	// "127.0.0.1:5432", "[::1]:5432"
	[[nodiscard]] std::string text() const;
	[[nodiscard]] std::string ip_text() const;
};

// The text above; mapped IPv4 in brackets, too. nullopt: anything else.
[[nodiscard]] std::optional<SocketAddress> parse_address(std::string_view text);
[[nodiscard]] std::optional<SocketAddress> parse_ip(const std::string &ip, std::uint16_t port);

// "0100007F:1538" of /proc/net/tcp and its like: 32-bit words as they lie in memory, printed as numbers of this machine.
[[nodiscard]] std::optional<SocketAddress> parse_hex_address(std::string_view text);

} // namespace loopsnoop::process

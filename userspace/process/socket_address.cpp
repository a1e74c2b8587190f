// SPDX-License-Identifier: Apache-2.0
#include "process/socket_address.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "process/text.h"

namespace loopsnoop::process {

namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::size_t v4_at = mapped_prefix.size();

} // namespace

bool SocketAddress::is_v4() const { return std::equal(mapped_prefix.begin(), mapped_prefix.end(), ip.begin()); }

bool SocketAddress::is_any() const {
	return std::all_of(ip.begin() + (is_v4() ? v4_at : 0), ip.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool SocketAddress::is_loopback() const {
	if (is_v4()) {
		return ip[v4_at] == 127;
	}
	return ip.back() == 1 && std::all_of(ip.begin(), ip.end() - 1, [](std::uint8_t byte) { return byte == 0; });
}

std::string SocketAddress::ip_text() const {
	std::array<char, INET6_ADDRSTRLEN> out{};
	if (is_v4()) {
		inet_ntop(AF_INET, ip.data() + v4_at, out.data(), out.size());
	} else {
		inet_ntop(AF_INET6, ip.data(), out.data(), out.size());
	}
	return out.data();
}

std::string SocketAddress::text() const {
	return is_v4() ? fmt::format("{}:{}", ip_text(), port) : fmt::format("[{}]:{}", ip_text(), port);
}

std::optional<SocketAddress> parse_ip(const std::string &ip, std::uint16_t port) {
	SocketAddress out;
	out.port = port;
	if (inet_pton(AF_INET6, ip.c_str(), out.ip.data()) == 1) {
		return out;
	}
	std::copy(mapped_prefix.begin(), mapped_prefix.end(), out.ip.begin());
	if (inet_pton(AF_INET, ip.c_str(), out.ip.data() + v4_at) == 1) {
		return out;
	}
	return std::nullopt;
}

std::optional<SocketAddress> parse_address(std::string_view text) {
	const std::size_t colon = text.rfind(':');
	if (colon == std::string_view::npos) {
		return std::nullopt;
	}
	const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
	std::string_view ip = text.substr(0, colon);
	const bool in_brackets = ip.size() > 2 && ip.starts_with('[') && ip.ends_with(']');
	if (in_brackets) {
		ip = ip.substr(1, ip.size() - 2);
	}
	if (!port || in_brackets != (ip.find(':') != std::string_view::npos)) {
		return std::nullopt;
	}
	return parse_ip(std::string(ip), *port);
}

std::optional<SocketAddress> parse_hex_address(std::string_view text) {
	const std::size_t colon = text.find(':');
	if (colon != 8 && colon != 32) {
		return std::nullopt;
	}
	SocketAddress out;
	std::size_t at = 0;
	if (colon == 8) {
		std::copy(mapped_prefix.begin(), mapped_prefix.end(), out.ip.begin());
		at = v4_at;
	}
	for (std::size_t digit = 0; digit < colon; digit += 8) {
		const auto word = parse_number<std::uint32_t>(text.substr(digit, 8), 16);
		if (!word) {
			return std::nullopt;
		}
		std::memcpy(out.ip.data() + at, &*word, sizeof *word);
		at += sizeof *word;
	}
	const auto port = parse_number<std::uint16_t>(text.substr(colon + 1), 16);
	if (!port) {
		return std::nullopt;
	}
	out.port = *port;
	return out;
}

} // namespace loopsnoop::process

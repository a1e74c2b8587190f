// SPDX-License-Identifier: Apache-2.0
#include "exporter/http_request.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

namespace loopsnoop::exporter {

namespace {

constexpr std::string_view blanks = " \t";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
	std::string out(text);
	std::transform(out.begin(), out.end(), out.begin(), [](char c) { return lower(c); });
	return out;
}

std::string_view trimmed(std::string_view text) {
	text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
	return text.substr(0, text.find_last_not_of(blanks) + 1);
}

// Up to `end`, which is taken off `text` together with what stands before it.
std::string_view take_until(std::string_view &text, char end) {
	const std::size_t at = std::min(text.find(end), text.size());
	const std::string_view taken = text.substr(0, at);
	text.remove_prefix(std::min(at + 1, text.size()));
	return taken;
}

std::string_view take_line(std::string_view &text) {
	std::string_view line = take_until(text, '\n');
	if (line.ends_with('\r')) {
		line.remove_suffix(1);
	}
	return line;
}

// "gzip" in a list of codings, unless its weight is 0 ("gzip;q=0").
bool lists_gzip(std::string_view codings) {
	while (!codings.empty()) {
		std::string_view coding = take_until(codings, ',');
		const std::string name = lower(trimmed(take_until(coding, ';')));
		const std::string weight = lower(trimmed(coding));
		if (name == "gzip") {
			return weight.find_first_of("123456789") != std::string::npos || weight.empty();
		}
	}
	return false;
}

bool is_address(std::string host) {
	std::array<unsigned char, sizeof(in6_addr)> bytes{};
	if (host.starts_with('[') && host.ends_with(']')) {
		host = host.substr(1, host.size() - 2);
		return inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
	}
	return inet_pton(AF_INET, host.c_str(), bytes.data()) == 1;
}

// "name:port" and "[address]:port" without the port.
std::string without_port(std::string_view host) {
	const std::size_t colon = host.rfind(':');
	const std::size_t bracket = host.rfind(']');
	const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || bracket < colon);
	return lower(has_port ? host.substr(0, colon) : host);
}

} // namespace

std::size_t head_length(std::string_view received) {
	for (const std::string_view end : {"\r\n\r\n", "\n\n"}) {
		if (const std::size_t at = received.find(end); at != std::string_view::npos) {
			return at + end.size();
		}
	}
	return 0;
}

std::optional<HttpRequest> parse_request(std::string_view head) {
	std::string_view line = take_line(head);
	HttpRequest request;
	request.method = take_until(line, ' ');
	std::string_view target = take_until(line, ' ');
	request.path = take_until(target, '?');
	if (request.method.empty() || !request.path.starts_with('/') || !line.starts_with("HTTP/1.")) {
		return std::nullopt;
	}
	request.is_1_0 = line == "HTTP/1.0";
	while (!head.empty()) {
		std::string_view value = take_line(head);
		if (value.empty()) {
			break;
		}
		const std::string name = lower(take_until(value, ':'));
		if (name == "host") {
			if (request.host) {
				return std::nullopt;
			}
			request.host = trimmed(value);
		} else if (name == "accept-encoding") {
			request.accepts_gzip = lists_gzip(value);
		}
	}
	return request;
}

AllowedHosts::AllowedHosts(std::vector<std::string> names) : names_(std::move(names)) {
	std::erase(names_, "");
	for (std::string &name : names_) {
		name = lower(name);
	}
}

bool AllowedHosts::allows(const HttpRequest &request) const {
	if (!request.host) {
		return request.is_1_0;
	}
	std::string host = without_port(*request.host);
	if (host.ends_with('.')) {
		host.pop_back(); // a name that is complete, as resolvers write it
	}
	return host == "localhost" || host.ends_with(".localhost") || is_address(host) ||
	       std::find(names_.begin(), names_.end(), host) != names_.end();
}

} // namespace loopsnoop::exporter

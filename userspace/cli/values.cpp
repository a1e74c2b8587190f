// SPDX-License-Identifier: Apache-2.0
#include "cli/values.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <numeric>
#include <system_error>

#include "base/duration.h"

namespace loopsnoop::cli {

namespace {

constexpr std::uint32_t max_pid = 4'194'304; // PID_MAX_LIMIT of 64-bit kernels, <linux/threads.h>

// Decimal digits and nothing else.
template <typename T> std::optional<T> whole_number(std::string_view text) {
	T value{};
	const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
	if (text.empty() || failure != std::errc{} || end != text.data() + text.size() || text.front() == '-') {
		return std::nullopt;
	}
	return value;
}

Error wrong(std::string line) { return Error{std::move(line), {}, 0, {}}; }

std::size_t edit_distance(std::string_view a, std::string_view b) {
	std::vector<std::size_t> row(b.size() + 1);
	std::iota(row.begin(), row.end(), std::size_t{0});
	for (std::size_t i = 0; i < a.size(); i++) {
		std::size_t diagonal = row.front();
		row.front() = i + 1;
		for (std::size_t j = 0; j < b.size(); j++) {
			const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
			diagonal = row[j + 1];
			row[j + 1] = std::min({replaced, row[j + 1] + 1, row[j] + 1});
		}
	}
	return row.back();
}

} // namespace

Result<void> add_ids(std::string_view option, std::string_view text, std::vector<std::uint32_t> &ids) {
	const std::string_view noun = option == "--tid" ? "thread" : "process";
	while (true) {
		const std::size_t comma = text.find(',');
		const std::string_view one = text.substr(0, comma);
		const std::optional<std::uint32_t> id = whole_number<std::uint32_t>(one);
		if (!id || *id == 0 || *id > max_pid) {
			return wrong(fmt::format("{}: '{}' is not a {} id (a number from 1 to {})", option, one, noun, max_pid));
		}
		if (std::find(ids.begin(), ids.end(), *id) != ids.end()) {
			return wrong(fmt::format("{}: {} {} is named twice", option, noun, *id));
		}
		ids.push_back(*id);
		if (comma == std::string_view::npos) {
			return {};
		}
		text.remove_prefix(comma + 1);
	}
}

bool is_process_name(std::string_view text) {
	constexpr std::size_t id_digits = 12;
	const auto is_hexadecimal = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
	const bool begins_as_name =
	    !text.empty() && (std::isalpha(static_cast<unsigned char>(text.front())) != 0 || text.front() == '_');
	return begins_as_name || (text.size() >= id_digits && std::ranges::all_of(text, is_hexadecimal) &&
	                          text.find_first_of("abcdef") != std::string_view::npos);
}

Result<std::uint64_t> duration_between(std::string_view option, std::string_view text, const DurationRange &range) {
	const std::optional<std::uint64_t> ns = parse_duration_ns(text);
	if (!ns) {
		return wrong(
		    fmt::format("{}: '{}' is not a duration (500us, 20ms, 1.5s, 2m; a bare number is milliseconds)", option, text));
	}
	if (*ns < range.min_ns || *ns > range.max_ns) {
		return wrong(fmt::format("{}: {} is out of range ({})", option, text, range.words));
	}
	return *ns;
}

Result<std::uint32_t> number_between(std::string_view option, std::string_view text, std::uint32_t min, std::uint32_t max) {
	const std::optional<std::uint32_t> number = whole_number<std::uint32_t>(text);
	if (!number || *number < min || *number > max) {
		return wrong(fmt::format("{}: '{}' is not a number from {} to {}", option, text, min, max));
	}
	return *number;
}

Result<ListenAddress> listen_address(std::string_view text) {
	const std::size_t colon = text.rfind(':');
	const std::string_view port_text = colon == std::string_view::npos ? text : text.substr(colon + 1);
	std::string host(colon == std::string_view::npos ? std::string_view{} : text.substr(0, colon));
	if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
		host = host.substr(1, host.size() - 2);
		in6_addr address{};
		if (inet_pton(AF_INET6, host.c_str(), &address) != 1) {
			return wrong(fmt::format("--listen: '{}' is not an IPv6 address", host));
		}
	} else if (host.empty() || host == "localhost") {
		host = "127.0.0.1";
	} else {
		in_addr address{};
		if (inet_pton(AF_INET, host.c_str(), &address) != 1) {
			return wrong(fmt::format("--listen: '{}' is not ADDR:PORT (127.0.0.1:9464, [::1]:9464, 0.0.0.0:9464)", text));
		}
	}
	const std::optional<std::uint16_t> port = whole_number<std::uint16_t>(port_text);
	if (!port || *port == 0) {
		return wrong(fmt::format("--listen: '{}' is not a port (1 to 65535)", port_text));
	}
	return ListenAddress{std::move(host), *port};
}

std::optional<std::string> nearest(std::string_view text, const std::vector<std::string> &names) {
	constexpr std::size_t too_far = 3;
	constexpr std::size_t longest_option = 64; // what is longer is no misspelt option, and comparing it costs time
	std::optional<std::string> best;
	std::size_t least = std::min<std::size_t>(too_far, text.size() > 3 ? too_far : 2);
	if (text.size() > longest_option) {
		return best;
	}
	for (const std::string &name : names) {
		const std::size_t distance = edit_distance(text, name);
		if (distance < least) {
			least = distance;
			best = name;
		}
	}
	return best;
}

} // namespace loopsnoop::cli

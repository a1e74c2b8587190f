// SPDX-License-Identifier: Apache-2.0
#include "output/wall_clock.h"

#include <fmt/format.h>

#include <charconv>
#include <ctime>
#include <limits>
#include <system_error>

namespace loopsnoop::output {

namespace {

constexpr std::uint64_t second = 1'000'000'000;

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t count) {
	int value = 0;
	const char *begin = text.data() + at;
	const auto [end, failure] = std::from_chars(begin, begin + count, value);
	if (failure != std::errc{} || end != begin + count || value < 0) {
		return std::nullopt;
	}
	return value;
}

// nullopt: outside what the C library can give as a local time.
std::optional<std::tm> local(std::int64_t realtime_ns) {
	if (realtime_ns < 0) {
		return std::nullopt;
	}
	const auto seconds = static_cast<std::time_t>(static_cast<std::uint64_t>(realtime_ns) / second);
	std::tm parts{};
	if (localtime_r(&seconds, &parts) == nullptr) {
		return std::nullopt;
	}
	return parts;
}

} // namespace

std::optional<std::uint64_t> parse_rfc3339_utc(std::string_view text) {
	constexpr std::string_view form = "0000-00-00T00:00:00";
	if (text.size() <= form.size() || text.back() != 'Z') {
		return std::nullopt;
	}
	for (std::size_t i = 0; i < form.size(); i++) {
		if (form[i] != '0' && text[i] != form[i]) {
			return std::nullopt;
		}
	}
	std::tm parts{};
	const std::optional<int> year = digits(text, 0, 4), month = digits(text, 5, 2), day = digits(text, 8, 2);
	const std::optional<int> hour = digits(text, 11, 2), minute = digits(text, 14, 2), seconds = digits(text, 17, 2);
	if (!year || !month || !day || !hour || !minute || !seconds || *year < 1970) {
		return std::nullopt;
	}
	parts.tm_year = *year - 1900;
	parts.tm_mon = *month - 1;
	parts.tm_mday = *day;
	parts.tm_hour = *hour;
	parts.tm_min = *minute;
	parts.tm_sec = *seconds;
	const std::time_t epoch = timegm(&parts);
	if (epoch < 0 || static_cast<std::uint64_t>(epoch) > std::numeric_limits<std::int64_t>::max() / second - 1) {
		return std::nullopt;
	}

	std::uint64_t fraction = 0;
	std::uint64_t scale = second / 10;
	std::string_view rest = text.substr(form.size(), text.size() - form.size() - 1);
	if (!rest.empty() && rest.front() != '.') {
		return std::nullopt;
	}
	for (std::size_t i = 1; i < rest.size(); i++) {
		if (rest[i] < '0' || rest[i] > '9') {
			return std::nullopt;
		}
		fraction += static_cast<std::uint64_t>(rest[i] - '0') * scale;
		scale /= 10;
	}
	return static_cast<std::uint64_t>(epoch) * second + fraction;
}

void WallClock::set(std::string_view started_at, std::uint64_t start_ns) {
	const std::optional<std::uint64_t> realtime = parse_rfc3339_utc(started_at);
	if (realtime && start_ns <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
		offset_ns_ = static_cast<std::int64_t>(*realtime) - static_cast<std::int64_t>(start_ns);
	}
}

std::string WallClock::time_of_day(std::uint64_t monotonic_ns) const {
	const auto realtime = static_cast<std::int64_t>(monotonic_ns + static_cast<std::uint64_t>(offset_ns_.value_or(0)));
	const std::optional<std::tm> parts = offset_ns_ ? local(realtime) : std::nullopt;
	if (!parts) {
		return "--:--:--.---";
	}
	return fmt::format("{:02}:{:02}:{:02}.{:03}", parts->tm_hour, parts->tm_min, parts->tm_sec,
	                   static_cast<std::uint64_t>(realtime) % second / 1'000'000);
}

std::string WallClock::date(std::uint64_t monotonic_ns) const {
	const auto realtime = static_cast<std::int64_t>(monotonic_ns + static_cast<std::uint64_t>(offset_ns_.value_or(0)));
	const std::optional<std::tm> parts = offset_ns_ ? local(realtime) : std::nullopt;
	if (!parts) {
		return {};
	}
	return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts->tm_year + 1900, parts->tm_mon + 1, parts->tm_mday,
	                   parts->tm_hour, parts->tm_min, parts->tm_sec);
}

} // namespace loopsnoop::output

// SPDX-License-Identifier: Apache-2.0
#include "base/duration.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace loopsnoop {

namespace {

constexpr double ns_per_ms = 1e6;
constexpr std::array<std::pair<std::string_view, double>, 8> units{{
    {"", ns_per_ms},
    {"ns", 1},
    {"us", 1e3},
    {"µs", 1e3},
    {"ms", ns_per_ms},
    {"s", 1e9},
    {"m", 60e9},
    {"h", 3600e9},
}};

} // namespace

std::optional<std::uint64_t> parse_duration_ns(std::string_view text) {
	const std::size_t digits = text.find_first_not_of("0123456789.");
	const std::string number(text.substr(0, digits));
	const std::string_view suffix = digits == std::string_view::npos ? std::string_view{} : text.substr(digits);
	if (number.empty() || number == "." || number.find('.') != number.rfind('.')) {
		return std::nullopt;
	}
	for (const auto &[name, scale] : units) {
		if (suffix == name) {
			const double ns = std::strtod(number.c_str(), nullptr) * scale;
			if (!(ns < 9.2e18)) {
				return std::nullopt;
			}
			return static_cast<std::uint64_t>(std::llround(ns));
		}
	}
	return std::nullopt;
}

std::string format_duration(std::uint64_t ns) {
	if (ns < 1'000'000) {
		return fmt::format("{} us", ns / 1000);
	}
	if (ns < 10'000'000) {
		return fmt::format("{:.1f} ms", static_cast<double>(ns) / 1e6);
	}
	if (ns < 1'000'000'000) {
		return fmt::format("{} ms", ns / 1'000'000);
	}
	const std::uint64_t seconds = ns / 1'000'000'000;
	if (seconds < 10) {
		const std::uint64_t hundredths = ns / 10'000'000;
		return fmt::format("{}.{:02} s", hundredths / 100, hundredths % 100);
	}
	if (seconds < 60) {
		return fmt::format("{}.{} s", seconds, ns / 100'000'000 % 10);
	}
	if (seconds < 120) {
		return fmt::format("{} s", seconds);
	}
	if (seconds < 7200) {
		return fmt::format("{} min {:02} s", seconds / 60, seconds % 60);
	}
	return fmt::format("{} h {:02} min", seconds / 3600, seconds / 60 % 60);
}

std::string format_rounded_duration(std::uint64_t ns) {
	// Half of the last digit that format_duration() shows.
	constexpr std::array<std::pair<std::uint64_t, std::uint64_t>, 6> halves{{
	    {1'000'000, 500},
	    {10'000'000, 50'000},
	    {1'000'000'000, 500'000},
	    {10'000'000'000, 5'000'000},
	    {60'000'000'000, 50'000'000},
	    {7'200'000'000'000, 500'000'000},
	}};
	for (const auto &[below, half] : halves) {
		if (ns < below) {
			return format_duration(ns + half);
		}
	}
	return format_duration(ns);
}

} // namespace loopsnoop

// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <fmt/format.h>

#include <ctime>

namespace loopsnoop {

namespace {

std::uint64_t read_clock(clockid_t clock) {
	timespec now{};
	clock_gettime(clock, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace

std::uint64_t monotonic_ns() { return read_clock(CLOCK_MONOTONIC); }

std::uint64_t realtime_ns() { return read_clock(CLOCK_REALTIME); }

std::string rfc3339_utc(std::uint64_t realtime_ns) {
	const auto seconds = static_cast<std::time_t>(realtime_ns / 1'000'000'000);
	std::tm parts{};
	gmtime_r(&seconds, &parts);
	return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
	                   parts.tm_hour, parts.tm_min, parts.tm_sec, realtime_ns % 1'000'000'000 / 1000);
}

} // namespace loopsnoop

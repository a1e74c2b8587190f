// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>

#include "base/clock.h"

namespace loopsnoop::session {

// Until `until_ns`, or until one of the descriptors can be read; -1 is none.
void sleep_until(std::uint64_t until_ns, std::initializer_list<int> descriptors);

// The clocks that a session goes by, and how it sleeps. A test gives its own, on which a minute takes no time. Any thread may
// read them.
struct Clock {
	std::function<std::uint64_t()> monotonic = monotonic_ns;
	std::function<std::uint64_t()> realtime = realtime_ns;
	std::function<void(std::uint64_t, std::initializer_list<int>)> sleep = sleep_until;

	// A moment of the monotonic clock as people write it.
	[[nodiscard]] std::string rfc3339(std::uint64_t at_ns) const { return rfc3339_utc(realtime() - (monotonic() - at_ns)); }
};

} // namespace loopsnoop::session

// SPDX-License-Identifier: Apache-2.0
#include "session/clock.h"

#include <poll.h>

#include <vector>

namespace loopsnoop::session {

void sleep_until(std::uint64_t until_ns, std::initializer_list<int> descriptors) {
	const std::uint64_t now = monotonic_ns();
	const std::uint64_t pause_ns = until_ns > now ? until_ns - now : 0;
	std::vector<pollfd> fds;
	for (const int fd : descriptors) {
		fds.push_back({fd, POLLIN, 0});
	}
	const timespec pause{static_cast<time_t>(pause_ns / ns_per_s), static_cast<long>(pause_ns % ns_per_s)};
	(void)ppoll(fds.data(), fds.size(), &pause, nullptr);
}

} // namespace loopsnoop::session

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace loopsnoop {

// Calls that a thread waits for descriptors in, by what says which: a set that is handed over, or an epoll descriptor.
inline constexpr std::array<std::string_view, 4> set_poll_calls{"poll", "ppoll", "select", "pselect6"};
inline constexpr std::array<std::string_view, 3> epoll_calls{"epoll_wait", "epoll_pwait", "epoll_pwait2"};

[[nodiscard]] constexpr bool is_set_poll_call(std::string_view syscall) {
	return std::ranges::find(set_poll_calls, syscall) != set_poll_calls.end();
}
[[nodiscard]] constexpr bool is_epoll_call(std::string_view syscall) {
	return std::ranges::find(epoll_calls, syscall) != epoll_calls.end();
}

} // namespace loopsnoop

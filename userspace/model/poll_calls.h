// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
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

// Whether such a call, or futex(), waits without a time-out, by its arguments (man 2 of each): milliseconds, an int, of which a
// negative one means for ever; or a pointer to a time, of which none does. False of any other call.
[[nodiscard]] constexpr bool has_no_timeout(std::string_view syscall, std::span<const std::uint64_t, 6> args) {
	if (syscall == "epoll_wait" || syscall == "epoll_pwait") {
		return static_cast<std::int32_t>(args[3]) < 0;
	}
	if (syscall == "poll") {
		return static_cast<std::int32_t>(args[2]) < 0;
	}
	if (syscall == "select" || syscall == "pselect6") {
		return args[4] == 0;
	}
	return (syscall == "ppoll" && args[2] == 0) || ((syscall == "epoll_pwait2" || syscall == "futex") && args[3] == 0);
}

} // namespace loopsnoop

// SPDX-License-Identifier: Apache-2.0
#include "base/capabilities.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cstdint>

namespace loopsnoop {

Result<void> keep_capabilities(std::initializer_list<unsigned> kept) {
	// Two words of 32 each, include/uapi/linux/capability.h: version 3.
	__user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
	std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
	if (syscall(SYS_capget, &header, sets.data()) != 0) {
		return errno_error("read this thread's capabilities");
	}
	std::array<std::uint32_t, _LINUX_CAPABILITY_U32S_3> wanted{};
	for (const unsigned capability : kept) {
		wanted.at(CAP_TO_INDEX(capability)) |= CAP_TO_MASK(capability);
	}
	for (std::size_t i = 0; i < sets.size(); i++) {
		sets.at(i).permitted &= wanted.at(i);
		sets.at(i).effective &= wanted.at(i);
		sets.at(i).inheritable = 0; // and with it the ambient ones
	}
	if (syscall(SYS_capset, &header, sets.data()) != 0) {
		return errno_error("give up capabilities");
	}
	return {};
}

} // namespace loopsnoop

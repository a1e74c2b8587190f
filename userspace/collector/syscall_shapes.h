// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "abi/kinds.h"
#include "abi/sizes.h"

namespace loopsnoop::collector {

// What each system call waits on when it blocks, by number (enum ls_shape); what is not named here is `other`.
[[nodiscard]] std::array<std::uint8_t, LS_SYSCALLS> syscall_shapes();

// The poll calls, those of them whose end is hooked as well (see bpf/poll.bpf.c), and the calls whose whole length is measured:
// names as in syscalls:sys_enter_<name>.
[[nodiscard]] const std::vector<std::string> &poll_call_names();
[[nodiscard]] bool end_is_hooked(const std::string &poll_call);
[[nodiscard]] const std::vector<std::string> &measured_call_names();

} // namespace loopsnoop::collector

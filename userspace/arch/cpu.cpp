// SPDX-License-Identifier: Apache-2.0
#include "arch/cpu.h"

#include <algorithm>
#include <iterator>

namespace loopsnoop::arch {

static_assert(std::is_sorted(std::begin(syscalls), std::end(syscalls),
                             [](const Syscall &a, const Syscall &b) { return a.number < b.number; }),
              "process::syscall_name() searches by halves");
static_assert(frame_pointer < registers && stack_pointer < registers && instruction_pointer < registers);

} // namespace loopsnoop::arch

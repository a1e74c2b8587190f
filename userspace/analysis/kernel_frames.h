// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "model/stack.h"

namespace loopsnoop::analysis {

// What the kernel frames of a thread say; innermost first, as everywhere. Pure.

// Whether the frame is the entry of an interrupt, or of a thread that serves them.
// Soft interrupts that are served on the way out of a system call have no such frame, and count as the call's.
[[nodiscard]] bool is_interrupt_entry(const KernelFrame &frame);

// Leaves out what an interrupt did on the thread's time: what stays is what the thread itself was at, nothing where it was
// interrupted in its own code.
void leave_out_interrupts(std::vector<KernelFrame> &kernel);

// The system call whose entry is among the frames; empty: none.
[[nodiscard]] std::string_view system_call_of(const std::vector<KernelFrame> &kernel);

} // namespace loopsnoop::analysis

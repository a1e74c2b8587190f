// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/stall.h"
#include "output/palette.h"
#include "output/stall_text.h"

namespace loopsnoop::output {

// Who waits for a lock held by whom, as an indented list, a line a thread, each ending in a newline. Every string of the target
// is made printable.

// Of a chain as analysis::WaitGraph has it; empty when its first thread waits for no lock with a known holder.
[[nodiscard]] std::string chain_lines(const std::vector<const ThreadView *> &links, std::string_view indent);

// Of a stall that was inspected while it ran: what the loop waits for, the processes behind that, and the deadlock, if
// there is one.
[[nodiscard]] std::string chain_section(const Stall &stall, const StallStyle &style);

// A deadlock among the threads, with a headline. `also`: one more thread, kept elsewhere; nullptr: none.
[[nodiscard]] std::string deadlock_section(const std::vector<std::uint32_t> &circle, const std::vector<ThreadView> &threads,
                                           const ThreadView *also, const Palette &palette);

} // namespace loopsnoop::output

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "model/stall.h"
#include "output/palette.h"

namespace loopsnoop::output {

struct StallStyle {
	Palette palette;
	bool everything = false;    // all waits and frames, wakers' stacks
	bool after_headline = true; // which said all that the summary says
};

// What follows a stall's headline: breakdown, advice, the waits that matter with their stacks, on-CPU stacks, and for hangs the
// other threads and the deadlock. Lines, each ending in a newline.
[[nodiscard]] std::string stall_details(const Stall &stall, const StallStyle &style);

// The other threads of a process, a line each, with their stacks where everything is shown.
// "4 threads wait for work: V8Worker ×3, SignalInspector"
[[nodiscard]] std::string idle_threads_line(const std::vector<const ThreadView *> &idle);
[[nodiscard]] std::string thread_section(const std::vector<ThreadView> &threads, const StallStyle &style);

// What makes two stalls the same in the eye of a reader: cause and the place in the code; whose it is comes besides. Durations,
// addresses, ports and descriptors are not in it.
[[nodiscard]] std::string identity(const Stall &stall);

} // namespace loopsnoop::output

// SPDX-License-Identifier: Apache-2.0
#include "output/status_line.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/duration.h"
#include "base/escape.h"
#include "summary/number.h"

namespace loopsnoop::output {

std::string status_text(const Status &now) {
	std::string text =
	    now.loops > 1 ? summary::plural(now.loops, "loop") : fmt::format("pid {} {}", now.pid, printable(now.comm));
	if (now.loops == 0) {
		text = now.pid == 0 ? "no loop yet" : text + " · no loop yet";
	}
	text += fmt::format(" · {} it/s · busy {:.0f} % · stalls {}",
	                    summary::thousands(static_cast<std::uint64_t>(std::max(now.iterations_per_s, 0.0))),
	                    std::clamp(now.busy, 0.0, 1.0) * 100, summary::thousands(now.stalls));
	if (now.stalls > 0) {
		text += fmt::format(" ({})", format_duration(now.stalled_ns));
	}
	if (now.stuck_ns) {
		text += fmt::format(" · stuck now {}", format_duration(*now.stuck_ns));
	}
	if (now.standing_ns) {
		text += fmt::format(" · standing still for {}", format_duration(*now.standing_ns));
	}
	if (now.lost > 0) {
		text += fmt::format(" · lost {}", summary::thousands(now.lost));
	}
	return text;
}

} // namespace loopsnoop::output

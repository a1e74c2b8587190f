// SPDX-License-Identifier: Apache-2.0
#include "summary/ending.h"

#include <fmt/format.h>

#include "base/escape.h"

namespace loopsnoop::summary {

std::string_view format_truncation(Truncated truncated) {
	switch (truncated) {
	case Truncated::before_attach: return "began before loopsnoop attached: the times are lower bounds";
	case Truncated::session_end: return "not over when loopsnoop stopped";
	case Truncated::target_exit: return "ended with the process";
	case Truncated::end_lost: return "the record of its end was lost: the times are lower bounds";
	case Truncated::no: break;
	}
	return {};
}

std::string format_exit(const ProcessExit &exit, std::string_view who) {
	if (exit.signal) {
		return fmt::format("{} was killed by {}", who, printable(*exit.signal));
	}
	return exit.status ? fmt::format("{} exited with status {}", who, *exit.status) : fmt::format("{} is gone", who);
}

} // namespace loopsnoop::summary

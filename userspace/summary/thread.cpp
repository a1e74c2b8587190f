// SPDX-License-Identifier: Apache-2.0
#include "summary/thread.h"

#include <fmt/format.h>

#include "base/duration.h"
#include "summary/resource.h"

namespace loopsnoop::summary {

std::string format_state(const ThreadView &thread) {
	std::string text(name_of(thread.state));
	if (thread.waited_ns) {
		text += " for " + format_duration(*thread.waited_ns);
	}
	if (const std::string call = format_call(thread.syscall, thread.resource); !call.empty()) {
		text += (thread.syscall ? " in " : ", ") + call;
	} else if (thread.cause) {
		text += fmt::format(", {}", words_of(*thread.cause));
	}
	if (thread.holds_gil.value_or(false)) {
		text += ", holds the GIL";
	}
	if (thread.sampled) {
		text += ", sampled while it computed";
	}
	return thread.moved ? fmt::format("{}, {}", text, ran_on) : text;
}

} // namespace loopsnoop::summary

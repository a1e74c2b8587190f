// SPDX-License-Identifier: Apache-2.0
#include "summary/circumstances.h"

#include <fmt/format.h>

#include <string_view>
#include <vector>

#include "analysis/by_design.h"
#include "analysis/culprit.h"
#include "base/duration.h"
#include "summary/number.h"

namespace loopsnoop::summary {

namespace {

std::string format_listeners(const std::vector<Listener> &listening) {
	if (listening.empty()) {
		return "nothing listening";
	}
	std::string text = "listening on ";
	std::uint64_t waiting = 0;
	for (const Listener &one : listening) {
		text += (&one == listening.data() ? "" : ", ") + (one.address.empty() ? "a unix socket" : one.address);
		waiting += one.waiting.value_or(0);
	}
	return text + fmt::format(", where {} {} not accepted,", plural(waiting, "connection"), waiting == 1 ? "is" : "are");
}

} // namespace

std::string format_startup(const Stall &stall) {
	if (stall.startup) {
		return fmt::format("startup: {}{} {} after the process began: ", stall.no_loop_yet ? "no event loop seen yet, " : "",
		                   format_listeners(stall.startup->listening), format_duration(stall.startup->process_age_ns));
	}
	const Wait *wait = analysis::main_wait(stall);
	const bool ends = wait != nullptr && wait->stack && analysis::is_ending(*wait->stack);
	return ends ? "while the process ends: " : "";
}

} // namespace loopsnoop::summary

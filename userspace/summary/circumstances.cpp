// SPDX-License-Identifier: Apache-2.0
#include "summary/circumstances.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <variant>
#include <vector>

#include "analysis/by_design.h"
#include "analysis/circumstances.h"
#include "analysis/culprit.h"
#include "base/duration.h"
#include "summary/place.h"
#include "summary/wait_chain.h"

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
	return text + fmt::format(", where {} connection{} not accepted,", waiting, waiting == 1 ? " is" : "s are");
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

std::string format_peer_activity(const Stall &stall) {
	if (!stall.peer || analysis::last_peer(stall) == nullptr) {
		return {};
	}
	const ThreadView &thread = stall.peer->thread;
	if (stall.peer->waits_for_us) {
		return ", which itself waits for an answer from this process" + format_at(thread);
	}
	if (thread.state == ThreadView::State::running || thread.state == ThreadView::State::runnable || thread.moved) {
		return {};
	}
	// In a poll call it waits for work, as far as can be told.
	constexpr std::array telling{Cause::socket, Cause::pipe,  Cause::file_io, Cause::futex,
	                             Cause::sleep,  Cause::child, Cause::stopped};
	const bool stopped = thread.state == ThreadView::State::stopped;
	if (!stopped && (!thread.cause || std::ranges::find(telling, *thread.cause) == telling.end())) {
		return {};
	}
	const auto *socket = std::get_if<SocketResource>(&analysis::last_resource(stall)->is);
	const bool said = socket != nullptr && socket->state == "SYN_SENT"; // "which does not answer"
	return (said ? ", and " : ", which ") + format_activity(thread) + format_at(thread);
}

} // namespace loopsnoop::summary

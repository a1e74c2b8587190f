// SPDX-License-Identifier: Apache-2.0
#include "analysis/circumstances.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <variant>
#include <vector>

#include "analysis/chain_words.h"
#include "analysis/culprit.h"
#include "analysis/wait_graph.h"
#include "base/duration.h"

namespace loopsnoop::analysis {

namespace {

// A module's body runs, below somebody else's code: not that of the program itself, which is outermost.
bool imports(const Stack &stack) {
	return std::ranges::any_of(stack.python,
	                           [](const SourceFrame &frame) { return frame.file.starts_with("<frozen importlib._bootstrap"); });
}

std::string listening_words(const std::vector<Listener> &listening) {
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

bool is_startup(const Stall &stall, const std::optional<std::vector<Listener>> &listening) {
	if (!listening) {
		return false;
	}
	const bool serves = std::ranges::any_of(*listening, [](const Listener &one) { return one.waiting.value_or(0) == 0; });
	if (stall.no_loop_yet) {
		return !serves;
	}
	const Wait *wait = main_wait(stall);
	return listening->empty() && wait != nullptr && wait->stack && imports(*wait->stack);
}

std::string startup_words(const Stall &stall) {
	const std::string_view loop = stall.no_loop_yet ? "no event loop seen yet, " : "";
	if (!stall.startup) {
		return std::string(loop);
	}
	return fmt::format("startup: {}{} {} after the process began: ", loop, listening_words(stall.startup->listening),
	                   format_duration(stall.startup->process_age_ns));
}

const Resource *last_resource(const Stall &stall) {
	const Wait *wait = main_wait(stall);
	if (wait == nullptr || wait->cause != stall.cause || !wait->ongoing || !wait->resource) {
		return nullptr;
	}
	const auto *lock = std::get_if<FutexResource>(&wait->resource->is);
	if (lock == nullptr) {
		return &*wait->resource;
	}
	if (!lock->holder || !stall.threads) {
		return nullptr;
	}
	const auto chain = WaitGraph(*stall.threads).chain(lock->holder->tid);
	return chain.empty() || !chain.back()->resource ? nullptr : &*chain.back()->resource;
}

const Peer *last_peer(const Stall &stall) {
	const Resource *resource = last_resource(stall);
	if (resource == nullptr) {
		return nullptr;
	}
	if (const auto *socket = std::get_if<SocketResource>(&resource->is)) {
		return socket->peer ? &*socket->peer : nullptr;
	}
	const auto *pipe = std::get_if<PipeResource>(&resource->is);
	return pipe != nullptr && pipe->peer ? &*pipe->peer : nullptr;
}

std::string peer_words(const Stall &stall) {
	if (!stall.peer || last_peer(stall) == nullptr) {
		return {};
	}
	const ThreadView &thread = stall.peer->thread;
	if (stall.peer->waits_for_us) {
		return ", which itself waits for an answer from this process" + place_words(thread);
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
	const auto *socket = std::get_if<SocketResource>(&last_resource(stall)->is);
	const bool said = socket != nullptr && socket->state == "SYN_SENT"; // "which does not answer"
	return (said ? ", and " : ", which ") + doing_words(thread) + place_words(thread);
}

} // namespace loopsnoop::analysis

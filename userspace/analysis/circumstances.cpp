// SPDX-License-Identifier: Apache-2.0
#include "analysis/circumstances.h"

#include <algorithm>
#include <string_view>
#include <variant>
#include <vector>

#include "analysis/culprit.h"
#include "analysis/wait_graph.h"

namespace loopsnoop::analysis {

namespace {

// A module's body runs, below somebody else's code: not that of the program itself, which is outermost.
bool imports(const Stack &stack) {
	return std::ranges::any_of(stack.python,
	                           [](const SourceFrame &frame) { return frame.file.starts_with("<frozen importlib._bootstrap"); });
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

} // namespace loopsnoop::analysis

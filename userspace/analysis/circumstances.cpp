// SPDX-License-Identifier: Apache-2.0
#include "analysis/circumstances.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "analysis/by_design.h"
#include "analysis/culprit.h"
#include "analysis/frame_names.h"
#include "analysis/wait_graph.h"

namespace loopsnoop::analysis {

bool has_served(const ServingSigns &signs) { return signs.accepted || (signs.watched && !signs.from_beginning); }

bool is_startup(const Stall &stall, const std::optional<ServingSigns> &signs) {
	if (!signs || has_served(*signs)) {
		return false;
	}
	const Wait *wait = main_wait(stall);
	const Stack *stack = wait != nullptr && wait->stack ? &*wait->stack : nullptr;
	if (stack != nullptr && is_ending(*stack)) {
		return false;
	}
	const bool importing = stack != nullptr && imports(*stack);
	if (!stall.no_loop_yet) {
		return signs->listening.empty() && importing;
	}
	const auto is_served = [](const Listener &one) { return one.waiting.value_or(0) == 0; };
	if (std::ranges::any_of(signs->listening, is_served)) {
		return false;
	}
	constexpr std::uint64_t connections_show_ns = 60'000'000'000; // TCP_TIMEWAIT_LEN
	return importing || (signs->will_serve && (signs->from_beginning || signs->age_ns < connections_show_ns));
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
	if (const auto *file = std::get_if<FileResource>(&resource->is)) {
		return file->holder ? &*file->holder : file->peer ? &*file->peer : nullptr;
	}
	const auto *pipe = std::get_if<PipeResource>(&resource->is);
	return pipe != nullptr && pipe->peer ? &*pipe->peer : nullptr;
}

bool is_paging(const Stall &stall) {
	constexpr std::uint64_t hundreds = 100;
	const CausePart &faults = part_of(stall.breakdown, Cause::page_fault);
	const CausePart &queued = part_of(stall.breakdown, Cause::runqueue);
	constexpr std::uint64_t others = 4; // at most a quarter of its turns on the run queue came from elsewhere
	const bool of_faults = queued.count <= faults.count + faults.count / others;
	return faults.count >= hundreds && (faults.ns + (of_faults ? queued.ns : 0)) * 2 >= stall.duration_ns;
}

const FileResource *paged_file(const Stall &stall) {
	const FileResource *file = nullptr;
	std::uint64_t longest_ns = 0;
	for (const Wait &wait : stall.waits) {
		const auto *one = wait.resource ? std::get_if<FileResource>(&wait.resource->is) : nullptr;
		if (wait.cause == Cause::page_fault && one != nullptr && one->path && wait.duration_ns >= longest_ns) {
			file = one;
			longest_ns = wait.duration_ns;
		}
	}
	return file;
}

} // namespace loopsnoop::analysis

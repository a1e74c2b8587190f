// SPDX-License-Identifier: Apache-2.0
#include "analysis/wait_graph.h"

#include <algorithm>
#include <cstddef>
#include <variant>

namespace loopsnoop::analysis {

namespace {

bool is_asleep(const ThreadSnapshot &snapshot) {
	return !snapshot.running && snapshot.state != ThreadView::State::running && snapshot.state != ThreadView::State::runnable;
}

} // namespace

const FutexResource *held_lock(const ThreadView &thread) {
	const auto *futex = thread.resource ? std::get_if<FutexResource>(&thread.resource->is) : nullptr;
	return futex != nullptr && futex->holder ? futex : nullptr;
}

std::set<std::uint32_t> held_still(std::span<const ThreadSnapshot> before, std::span<const ThreadSnapshot> after) {
	std::map<std::uint32_t, const ThreadSnapshot *> first;
	for (const ThreadSnapshot &snapshot : before) {
		first.emplace(snapshot.tid, &snapshot);
	}
	std::set<std::uint32_t> still;
	for (const ThreadSnapshot &now : after) {
		const auto entry = first.find(now.tid);
		if (entry == first.end()) {
			continue;
		}
		const ThreadSnapshot &then = *entry->second;
		if (is_asleep(then) && is_asleep(now) && then.switches == now.switches && then.syscall == now.syscall &&
		    then.args == now.args) {
			still.insert(now.tid);
		}
	}
	return still;
}

WaitGraph::WaitGraph(std::span<const ThreadView> threads, const ThreadView *also) {
	const auto add = [this](const ThreadView &thread) {
		Node node{&thread, std::nullopt, false};
		if (const FutexResource *lock = held_lock(thread)) {
			node.next = lock->holder->tid;
			node.certain = !lock->holder->inferred;
		}
		nodes_.emplace(thread.tid, node);
	};
	if (also != nullptr) {
		add(*also);
	}
	for (const ThreadView &thread : threads) {
		add(thread);
	}
}

std::vector<const ThreadView *> WaitGraph::chain(std::uint32_t tid) const {
	std::vector<const ThreadView *> links;
	std::set<std::uint32_t> seen;
	for (auto at = nodes_.find(tid); at != nodes_.end() && seen.insert(at->first).second;) {
		links.push_back(at->second.thread);
		at = at->second.next ? nodes_.find(*at->second.next) : nodes_.end();
	}
	return links;
}

std::optional<std::vector<std::uint32_t>> WaitGraph::circle_from(std::uint32_t tid, const std::set<std::uint32_t> &still) const {
	std::vector<std::uint32_t> path;
	for (auto at = nodes_.find(tid); at != nodes_.end();) {
		if (const auto again = std::find(path.begin(), path.end(), at->first); again != path.end()) {
			return std::vector<std::uint32_t>(again, path.end());
		}
		if (!at->second.next || !at->second.certain || !still.contains(at->first)) {
			break;
		}
		path.push_back(at->first);
		at = nodes_.find(*at->second.next);
	}
	return std::nullopt;
}

std::optional<std::vector<std::uint32_t>> WaitGraph::deadlock(const std::set<std::uint32_t> &still,
                                                              std::optional<std::uint32_t> start) const {
	if (start) {
		// What leads up to the circle may be a guess, or have moved: the circle itself may not.
		for (const ThreadView *link : chain(*start)) {
			if (auto circle = circle_from(link->tid, still)) {
				return circle;
			}
		}
	}
	// In ascending order, and a circle is found from each of its members: the first one found begins with its lowest tid,
	// unless a thread with a lower one only waits for it.
	for (const auto &[tid, node] : nodes_) {
		if (auto circle = circle_from(tid, still)) {
			std::rotate(circle->begin(), std::min_element(circle->begin(), circle->end()), circle->end());
			return circle;
		}
	}
	return std::nullopt;
}

std::map<std::uint32_t, std::size_t> WaitGraph::held_up() const {
	std::map<std::uint32_t, std::size_t> counts;
	for (const auto &[tid, node] : nodes_) {
		if (!node.next) {
			continue;
		}
		for (const ThreadView *link : chain(tid)) {
			if (link->tid != tid) {
				counts[link->tid]++;
			}
		}
	}
	return counts;
}

} // namespace loopsnoop::analysis

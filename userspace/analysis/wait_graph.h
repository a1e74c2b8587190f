// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "model/event.h"
#include "model/resource.h"
#include "model/stall.h"

namespace loopsnoop::analysis {

// The lock that a thread waits for, where its holder is known; nullptr: it waits for no lock, or nobody knows whose it is.
[[nodiscard]] const FutexResource *held_lock(const ThreadView &thread);

// Threads of one process that did nothing between two snapshots: asleep both times, in the same system call with the same
// arguments, and not one switch in between. What was read of them from outside between the two was so all the time.
[[nodiscard]] std::set<std::uint32_t> held_still(std::span<const ThreadSnapshot> before, std::span<const ThreadSnapshot> after);

// An edge from each thread that waits for a lock to the thread that holds it. A thread waits for one lock at a time, so one edge
// at most leads from it. Keeps pointers: the threads must outlive it and stay where they are. Pure.
class WaitGraph {
public:
	// `also`: one more thread, kept elsewhere; nullptr: none.
	explicit WaitGraph(std::span<const ThreadView> threads, const ThreadView *also = nullptr);

	// From the thread down to the last link, which waits for no lock, or for one whose holder is not known or not among the
	// threads. The first is the thread itself; empty when it is not among them. In a circle each thread is there once.
	[[nodiscard]] std::vector<const ThreadView *> chain(std::uint32_t tid) const;

	// A deadlock: threads of which each waits for what the next one holds, the last for the first. Only edges count that are
	// certain (a holder that is inferred is none), between threads of `still`: a thread that moved while it was inspected may
	// have let go of the lock. The circle that the chain from `start` leads into, if it does (beginning with `start` where that
	// is part of it), else the one with the lowest tid, beginning with that. nullopt: there is none.
	[[nodiscard]] std::optional<std::vector<std::uint32_t>> deadlock(const std::set<std::uint32_t> &still,
	                                                                 std::optional<std::uint32_t> start) const;

	// By thread, how many others wait, over any number of links, for what it holds; those that hold up nobody are not in it.
	[[nodiscard]] std::map<std::uint32_t, std::size_t> held_up() const;

private:
	struct Node {
		const ThreadView *thread = nullptr;
		std::optional<std::uint32_t> next; // holds what it waits for
		bool certain = false;              // read from the lock, not inferred
	};
	[[nodiscard]] std::optional<std::vector<std::uint32_t>> circle_from(std::uint32_t tid,
	                                                                    const std::set<std::uint32_t> &still) const;

	std::map<std::uint32_t, Node> nodes_;
};

} // namespace loopsnoop::analysis

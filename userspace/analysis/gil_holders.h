// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/stall.h"

namespace loopsnoop::analysis {

inline constexpr std::size_t max_reported_gil_holders = 8;

// One snapshot of who held the GIL, by name.
struct GilSample {
	std::uint64_t iteration = 0;
	std::uint64_t waited_ns = 0; // how long the wait went on that began with it
	std::uint32_t tid = 0;
	std::string thread;
	std::vector<SourceFrame> python; // innermost first
};

// Who held the GIL during the running iteration of one loop: equal snapshots together. Bounded, however many waits there are.
class GilHolders {
public:
	static constexpr std::size_t max_places = 64; // a thread in a line of code is a place; further ones are left out

	void add(GilSample &&sample);
	// Of that iteration, most samples first. Older ones are thrown away when a newer iteration's come.
	[[nodiscard]] std::vector<GilHolding> of(std::uint64_t iteration) const;

private:
	std::uint64_t iteration_ = 0;
	std::vector<GilHolding> holders_;
};

// The thread with most of the sampled time, and whether it has nearly all of it.
struct MainGilHolder {
	const GilHolding *heaviest = nullptr; // of its places, one of those that were given; nullptr: there are none
	bool nearly_alone = false;
};
[[nodiscard]] MainGilHolder main_gil_holder(const std::vector<GilHolding> &holders);

// Sets `stall.gil` from its breakdown and the snapshots, and the holder of the waits' GIL where nearly all snapshots agree on one
// thread. Without any the thread that ended a wait is the holder: it had the GIL to give.
void account_gil(Stall &stall, std::vector<GilHolding> holders);

} // namespace loopsnoop::analysis

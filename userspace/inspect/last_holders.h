// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>

#include "model/stall.h"

namespace loopsnoop::inspect {

// Who was last known to have had a lock, of locks that name no owner themselves: it may well be the one that has it now. By
// process and lock; those of 256 locks are kept. One thread.
class LastHolders {
public:
	// Takes note of the holders in a record that is written.
	void learn(const Stall &stall);
	// For what a stall waits for now, where nothing better is known: marked as inferred. `threads`: the others of the process;
	// one that is gone, or wants that lock itself, does not have it. True when a holder was set.
	bool infer(Stall &stall, std::span<const ThreadView> threads) const;
	void forget(std::uint32_t pid);

private:
	using Lock = std::pair<std::uint32_t, std::uint64_t>;
	struct Known {
		std::uint64_t when = 0;
		Holder holder;
	};
	std::map<Lock, Known> known_;
	std::uint64_t learned_ = 0;
};

} // namespace loopsnoop::inspect

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace loopsnoop {

// What a record was too large for, and is without.
struct LeftOut {
	std::uint64_t threads = 0; // of `threads`
	std::uint64_t waits = 0;   // of `waits`
	std::uint64_t frames = 0;  // of all stacks: the outermost ones
	std::uint64_t texts = 0;   // names and paths that were cut; they end in "…"

	[[nodiscard]] bool any() const { return threads + waits + frames + texts != 0; }
};

} // namespace loopsnoop

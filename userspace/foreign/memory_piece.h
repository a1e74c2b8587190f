// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace loopsnoop::foreign {

// A place in a process's memory, and where its bytes go.
struct MemoryPiece {
	std::uint64_t address = 0;
	std::span<std::byte> into;
	bool read = false; // all of it was; else none of its bytes count
};

} // namespace loopsnoop::foreign

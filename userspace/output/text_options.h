// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace loopsnoop::output {

enum class Detail : std::uint8_t {
	headlines, // one line a stall
	usual,
	everything, // every wait and frame
};

struct TextOptions {
	bool colour = false;
	bool status_line = false; // terminals only
	unsigned columns = 80;    // of the terminal
	bool wrap = false;        // lines are broken at its width; terminals only
	Detail detail = Detail::usual;
	std::uint64_t repeats_every_ns = 5'000'000'000; // repeats of a stall are shown this often
};

} // namespace loopsnoop::output

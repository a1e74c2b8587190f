// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "model/stack.h"
#include "output/palette.h"

namespace loopsnoop::output {

struct StackStyle {
	Palette palette;
	bool every_frame = false; // no folding of library frames; native and kernel frames with offsets
	std::string_view indent = "    ";
};

// The lines of a stack, each ending in a newline, innermost frame first: Python and JavaScript with the application's frames
// marked `>` and runs of library frames folded, then native (one line where there is Python), then the kernel in one line.
[[nodiscard]] std::string stack_lines(const Stack &stack, const StackStyle &style);

} // namespace loopsnoop::output

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "model/stack.h"

namespace loopsnoop::analysis {

// "wait" of "Condition.wait".
[[nodiscard]] inline std::string_view without_class(std::string_view function) {
	const std::size_t dot = function.rfind('.');
	return dot == std::string_view::npos ? function : function.substr(dot + 1);
}

// A module's body runs, below somebody else's code: not that of the program itself, which is outermost.
[[nodiscard]] inline bool imports(const Stack &stack) {
	return std::ranges::any_of(stack.python,
	                           [](const SourceFrame &frame) { return frame.file.starts_with("<frozen importlib._bootstrap"); });
}

} // namespace loopsnoop::analysis

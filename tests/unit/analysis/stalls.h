// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "model/stall.h"

namespace loopsnoop::analysis_test {

inline SourceFrame frame(std::string function, std::string file, int line) {
	return {std::move(function), std::move(file), line};
}

inline SourceFrame application(int line) { return frame("handler", "/srv/app/main.py", line); }
inline SourceFrame library() { return frame("get", "/usr/lib/python3/dist-packages/redis/client.py", 1000); }

inline Wait wait(Cause cause, std::string syscall, std::uint64_t start_ns, std::uint64_t duration_ns,
                 std::vector<SourceFrame> python) {
	Wait one;
	one.cause = cause;
	one.syscall = std::move(syscall);
	one.start_ns = start_ns;
	one.duration_ns = duration_ns;
	one.count = 1;
	if (!python.empty()) {
		one.stack.emplace();
		one.stack->python = std::move(python);
		one.stack_from = StackFrom::captured;
	}
	return one;
}

} // namespace loopsnoop::analysis_test

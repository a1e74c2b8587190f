// SPDX-License-Identifier: Apache-2.0
#include "output/loop_names.h"

namespace loopsnoop::output {

bool LoopNames::add(const LoopFound &loop) {
	if (loops_.size() >= max_loops) {
		return true;
	}
	const bool another = !loops_.empty() && loops_.begin()->first.first != loop.pid;
	loops_[{loop.pid, loop.tid}] = summary::format_process(loop.name, loop.comm);
	return another;
}

void LoopNames::forget(std::uint32_t pid) {
	std::erase_if(loops_, [&](const auto &loop) { return loop.first.first == pid; });
}

std::optional<std::string> LoopNames::of_process(std::uint32_t pid) const {
	const auto first = loops_.lower_bound({pid, 0});
	return first != loops_.end() && first->first.first == pid ? std::optional(first->second) : std::nullopt;
}

} // namespace loopsnoop::output

// SPDX-License-Identifier: Apache-2.0
#include "summary/no_end.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "analysis/culprit.h"
#include "analysis/no_end.h"
#include "model/poll_calls.h"

namespace loopsnoop::summary {

std::string format_no_end(const Stall &stall, Length length) {
	if (!stall.no_end || (!stall.ongoing && !stall.goes_on)) {
		return {};
	}
	const bool brief = length == Length::brief;
	switch (*stall.no_end) {
	case NoEnd::before_fork:
		return brief ? "; held since before the fork: no other thread can end this"
		             : "; held since before the fork, by a thread that does not exist in this process: no other thread can end "
		               "this";
	case NoEnd::each_other: return brief ? "; a deadlock" : "; each waits for the other: a deadlock";
	case NoEnd::others_idle:
	case NoEnd::timer: {
		const std::size_t others = stall.threads ? stall.threads->size() : 0;
		std::string text = stall.no_end == NoEnd::timer ? "; nothing but a timer of another thread could end this"
		                                                : "; no other thread can end this";
		if (!brief) {
			text += others == 1 ? std::string(": the only other one waits for work")
			                    : fmt::format(": all {} others wait for work", others);
		}
		return text;
	}
	case NoEnd::only_thread: break;
	}
	return brief ? "; no other thread can end this" : "; no other thread can end this: the process has only this one";
}

std::string format_takers(const Stall &stall) {
	const Wait *wait = analysis::main_wait(stall);
	const auto *lock = wait != nullptr && wait->resource ? std::get_if<FutexResource>(&wait->resource->is) : nullptr;
	if (lock == nullptr || !lock->full || !wait->ongoing || !stall.threads) {
		return {};
	}
	const bool none = std::ranges::all_of(*stall.threads, [](const ThreadView &thread) {
		return analysis::waits_for_work(thread) || (thread.syscall && is_epoll_call(*thread.syscall));
	});
	return none ? "; no thread takes from it" : "";
}

} // namespace loopsnoop::summary

// SPDX-License-Identifier: Apache-2.0
#include "summary/no_end.h"

#include <fmt/format.h>

namespace loopsnoop::summary {

std::string format_no_end(const Stall &stall) {
	if (!stall.no_end || (!stall.ongoing && !stall.goes_on)) {
		return {};
	}
	switch (*stall.no_end) {
	case NoEnd::before_fork:
		return "; held since before the fork, by a thread that does not exist in this process: no other thread can end this";
	case NoEnd::each_other: return "; each waits for the other: a deadlock";
	case NoEnd::others_idle: {
		const std::size_t others = stall.threads ? stall.threads->size() : 0;
		return others == 1 ? std::string("; no other thread can end this: the only other one waits for work")
		                   : fmt::format("; no other thread can end this: all {} others wait for work", others);
	}
	case NoEnd::only_thread: break;
	}
	return "; no other thread can end this: the process has only this one";
}

} // namespace loopsnoop::summary

// SPDX-License-Identifier: Apache-2.0
#include "summary/pool.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "summary/number.h"
#include "summary/place.h"
#include "summary/wait_chain.h"

namespace loopsnoop::summary {

std::string format_pool_wait(const Stall &stall) {
	const PoolWait &pool = *stall.pool;
	std::string text = fmt::format("waiting for {}", pool.pool);
	if (!pool.waiters.empty()) {
		text += fmt::format(", as {} {}", plural(pool.waiters.size(), "other thread"), pool.waiters.size() == 1 ? "does" : "do");
	}
	if (pool.users.empty()) {
		return text + ": its connections leaked, or their users wait for this loop (inferred)";
	}
	text += ", probably from ";
	constexpr std::size_t max_named = 3;
	for (std::size_t i = 0; i < std::min(pool.users.size(), max_named); i++) {
		const auto thread = std::ranges::find(*stall.threads, pool.users[i], &ThreadView::tid);
		if (thread != stall.threads->end()) {
			text += (i > 0 ? " or " : "") + format_thread(*thread) + format_at(*thread) + ", which " + format_activity(*thread);
		}
	}
	return text + (pool.users.size() > max_named ? fmt::format(" or {} more", pool.users.size() - max_named) : "");
}

} // namespace loopsnoop::summary

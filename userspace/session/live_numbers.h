// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "collector/collector.h"
#include "session/clock.h"
#include "session/follow.h"

namespace loopsnoop::session {

// Lends the kernel's tables to another thread while the session lasts. The collector, the clock and `lend` outlive it.
class LiveNumbersLender {
public:
	LiveNumbersLender(const std::function<void(std::function<LiveNumbers()>)> &lend, const collector::Collector &collector,
	                  const Clock &clock, std::function<LossCounts()> losses);
	~LiveNumbersLender();
	LiveNumbersLender(const LiveNumbersLender &) = delete;
	LiveNumbersLender &operator=(const LiveNumbersLender &) = delete;
	LiveNumbersLender(LiveNumbersLender &&) = delete;
	LiveNumbersLender &operator=(LiveNumbersLender &&) = delete;

	// The losses are read by this thread alone: the other one may have no right to. About once a second: it takes two dozen
	// system calls.
	void update(std::uint64_t now_ns);

private:
	[[nodiscard]] LossCounts lost() const;

	const std::function<void(std::function<LiveNumbers()>)> &lend_;
	const collector::Collector &collector_;
	const Clock &clock_;
	std::function<LossCounts()> losses_;
	mutable std::mutex mutex_;
	LossCounts lost_{};
	std::uint64_t next_update_ns_ = 0;
};

} // namespace loopsnoop::session

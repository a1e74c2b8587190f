// SPDX-License-Identifier: Apache-2.0
#include "session/live_numbers.h"

#include <utility>

namespace loopsnoop::session {

namespace {

constexpr std::uint64_t update_ns = 1'000'000'000;

} // namespace

LiveNumbersLender::LiveNumbersLender(const std::function<void(std::function<LiveNumbers()>)> &lend,
                                     const collector::Collector &collector, const Clock &clock,
                                     std::function<LossCounts()> losses)
    : lend_(lend), collector_(collector), clock_(clock), losses_(std::move(losses)) {
	update(clock_.monotonic());
	if (lend_) {
		lend_([this] { return LiveNumbers{clock_.monotonic(), collector_.table().loops(), lost()}; });
	}
}

LiveNumbersLender::~LiveNumbersLender() {
	if (lend_) {
		lend_({});
	}
}

void LiveNumbersLender::update(std::uint64_t now_ns) {
	if (!lend_ || now_ns < next_update_ns_) {
		return;
	}
	next_update_ns_ = now_ns + update_ns;
	const std::lock_guard lock(mutex_);
	lost_ = losses_();
}

LossCounts LiveNumbersLender::lost() const {
	const std::lock_guard lock(mutex_);
	return lost_;
}

} // namespace loopsnoop::session

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "model/event.h"

namespace loopsnoop::analysis {

// The events of the running iteration of one loop so far: waits and samples that matter only if it turns out to be a stall.
// Bounded; what does not fit is counted.
class IterationBuffer {
public:
	// A record shows 16 waits at most, for which 64 are enough; samples come a few hundred a second of computing, thinned out
	// after that.
	static constexpr std::size_t max_waits = 64;
	static constexpr std::size_t max_samples = 400;

	void add(RawWait &&wait);
	void add(RawSample &&sample);
	// Where the waker of a wait stood. The wait itself comes later, if it turns out to be worth it: one at a time is kept.
	void add(RawWaker &&waker) { waker_ = std::move(waker); }
	// Gives the wait what is known of its waker's stack.
	void complete(RawWait &wait) const;

	// Of that iteration; anything older is thrown away, anything newer stays.
	[[nodiscard]] std::vector<RawWait> take_waits(std::uint64_t iteration);
	[[nodiscard]] std::vector<RawSample> take_samples(std::uint64_t iteration);
	// The same without taking them.
	[[nodiscard]] std::vector<RawWait> waits(std::uint64_t iteration) const;
	[[nodiscard]] std::vector<RawSample> samples(std::uint64_t iteration) const;

	[[nodiscard]] std::uint64_t dropped_waits() const { return dropped_waits_; }

private:
	[[nodiscard]] RawWait *mergeable(const RawWait &wait);

	std::vector<RawWait> waits_;
	std::vector<RawSample> samples_;
	std::optional<RawWaker> waker_;
	std::uint64_t keep_every_ = 1; // of the samples: 2, 4, … once there were too many
	std::uint64_t samples_seen_ = 0;
	std::uint64_t dropped_waits_ = 0;
};

} // namespace loopsnoop::analysis

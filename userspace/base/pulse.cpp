// SPDX-License-Identifier: Apache-2.0
#include "base/pulse.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/clock.h"

namespace loopsnoop {

namespace {

struct Living {
	std::mutex mutex;
	std::vector<const Pulse *> pulses;
};

Living &living() {
	static Living all;
	return all;
}

} // namespace

std::uint64_t Pulse::now() { return monotonic_ns(); }

Pulse::Pulse(std::string thread) : thread_(std::move(thread)) {
	const std::scoped_lock lock(living().mutex);
	living().pulses.push_back(this);
}

Pulse::~Pulse() {
	const std::scoped_lock lock(living().mutex);
	std::erase(living().pulses, this);
}

void Pulse::beat(std::uint64_t now_ns) {
	const std::uint64_t last = last_ns_;
	if (last != 0 && now_ns > last && now_ns - last >= standstill_ns) {
		stalled_ns_ += now_ns - last;
		times_++;
	}
	last_ns_ = now_ns;
}

void Pulse::rest() {
	beat();
	last_ns_ = 0;
}

Pulse::Reading Pulse::read(std::uint64_t now_ns) const {
	Reading reading{thread_, times_, stalled_ns_, 0};
	const std::uint64_t last = last_ns_;
	if (last != 0 && now_ns > last && now_ns - last >= standstill_ns) {
		reading.for_ns = now_ns - last;
		reading.stalled_ns += reading.for_ns;
		reading.times++;
	}
	return reading;
}

std::vector<Pulse::Reading> Pulse::read_all() {
	const std::scoped_lock lock(living().mutex);
	std::vector<Reading> all;
	for (const Pulse *pulse : living().pulses) {
		all.push_back(pulse->read());
	}
	return all;
}

} // namespace loopsnoop

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

namespace loopsnoop {

// Shows that one of our own threads goes round: a tool that reports threads that stand still must notice when its own do. The
// thread calls `beat` each time it goes round, and `rest` before it waits for as long as it may take. Any thread may read.
class Pulse {
public:
	static constexpr std::uint64_t standstill_ns = 2'000'000'000;

	explicit Pulse(std::string thread);
	~Pulse();
	Pulse(const Pulse &) = delete;
	Pulse &operator=(const Pulse &) = delete;
	Pulse(Pulse &&) = delete;
	Pulse &operator=(Pulse &&) = delete;

	void beat() { beat(now()); }
	void beat(std::uint64_t now_ns); // CLOCK_MONOTONIC
	void rest();

	struct Reading {
		std::string thread;
		std::uint64_t times = 0;      // that it stood still for two seconds or more, now included
		std::uint64_t stalled_ns = 0; // all of them together
		std::uint64_t for_ns = 0;     // it stands still now; 0: it goes round, or rests
	};
	[[nodiscard]] Reading read() const { return read(now()); }
	[[nodiscard]] Reading read(std::uint64_t now_ns) const;

	// Of all that live.
	[[nodiscard]] static std::vector<Reading> read_all();

private:
	[[nodiscard]] static std::uint64_t now();

	std::string thread_;
	std::atomic<std::uint64_t> last_ns_ = 0; // 0: it rests
	std::atomic<std::uint64_t> times_ = 0;
	std::atomic<std::uint64_t> stalled_ns_ = 0;
};

} // namespace loopsnoop

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace loopsnoop::bench {

struct Measured {
	std::map<std::string, double> ns; // an event, by event, at the clock rate that the gauge shows
	std::vector<std::string> strayed; // events of which no chunk met the core at its own speed: of all chunks, for want of better
	double gauge_ns = 0;              // pace/gauge.h, when it was quickest
};

// The events that are timed, made by the calling thread, which is an epoll loop: each chunk of events is one callback of it,
// a millisecond or less. A second process, on the same core, is what it is switched to.
class TimedEvents {
public:
	TimedEvents();
	~TimedEvents();
	TimedEvents(const TimedEvents &) = delete;
	TimedEvents &operator=(const TimedEvents &) = delete;
	TimedEvents(TimedEvents &&) = delete;
	TimedEvents &operator=(TimedEvents &&) = delete;

	// Neighbours on the host slow a virtual CPU down by a third or a half for some milliseconds or for minutes. A gauge before
	// and after each chunk shows which were alone, and the lower decile of those is the figure, in turns of the gauge, as the
	// clock rate strays as well; the kinds of events take turns chunk by chunk, for each to meet the same of it all.
	[[nodiscard]] Measured measure();
	// All kinds, one after the other; `after` is called when one is through, with its name.
	void run(const std::function<void(const std::string &)> &after);
	// Comes round in its poll call often enough to be known as a loop.
	void loop_a_little() const;

private:
	struct Kind {
		const char *name;
		int count; // in one chunk
		int parts; // of one event
		std::function<void()> event;
	};
	struct Chunk {
		double ns;       // an event
		double gauge_ns; // the slower of those before and after
	};
	[[nodiscard]] static std::uint64_t gauge_ns();
	[[nodiscard]] std::vector<Kind> kinds();
	[[nodiscard]] double time_chunk(const Kind &kind) const; // ns an event
	void poll_once(int timeout_ms) const;

	int queue_ = -1;
	int word_ = 0; // a futex
	std::array<int, 2> there_{}, back_{};
	pid_t partner_ = -1;
};

} // namespace loopsnoop::bench

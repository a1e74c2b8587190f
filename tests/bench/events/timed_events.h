// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <array>
#include <functional>
#include <map>
#include <string>

namespace loopsnoop::bench {

// The events that are timed, made by the calling thread, which is an epoll loop: each chunk of events is one callback of it,
// some milliseconds long. A second process, on the same core, is what it is switched to.
class TimedEvents {
public:
	TimedEvents();
	~TimedEvents();
	TimedEvents(const TimedEvents &) = delete;
	TimedEvents &operator=(const TimedEvents &) = delete;
	TimedEvents(TimedEvents &&) = delete;
	TimedEvents &operator=(TimedEvents &&) = delete;

	// ns an event, the median of the chunks, by event. `after` is called when one kind of event has been timed, with its name.
	[[nodiscard]] std::map<std::string, double> measure(const std::function<void(const std::string &)> &after = {}) const;
	// Comes round in its poll call often enough to be known as a loop.
	void loop_a_little() const;

private:
	double time_chunks(int chunks, int events, const std::function<void()> &event) const;
	void poll_once(int timeout_ms) const;

	int queue_ = -1;
	std::array<int, 2> there_{}, back_{};
	pid_t partner_ = -1;
};

} // namespace loopsnoop::bench

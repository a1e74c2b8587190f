// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/unique_fd.h"
#include "collector/collector.h"
#include "model/event.h"

namespace loopsnoop::session {

// The collector's events, in order, taken out of the kernel while earlier ones are still being worked on: the ring buffer holds
// out for some 60 ms of 10,000 stalls a second, and the first stack of a program takes longer to be named. A thread of its own
// takes them when the kernel says that its buffer fills up, and sleeps otherwise: in quiet times it is `fetch` that takes all.
// What waits here is bounded; beyond that it stays in the kernel, which counts what it has no room for.
class EventQueue {
public:
	// The collector outlives the queue, and nobody else drains it. Signals are to be blocked by then.
	explicit EventQueue(collector::Collector &collector);
	~EventQueue();
	EventQueue(const EventQueue &) = delete;
	EventQueue &operator=(const EventQueue &) = delete;
	EventQueue(EventQueue &&) = delete;
	EventQueue &operator=(EventQueue &&) = delete;

	// What the kernel has by now goes to the end of the queue; how many are waiting then. `fetch` and `next` are for one thread.
	std::size_t fetch();
	[[nodiscard]] std::optional<Event> next(); // nullopt: none is waiting
	[[nodiscard]] bool empty() const;
	// Readable when the queue's own thread has put something in since the last `fetch`.
	[[nodiscard]] int poll_fd() const { return filled_.get(); }

private:
	void watch(const std::stop_token &stop);
	std::size_t drain(); // bytes, roughly
	[[nodiscard]] bool full() const;

	// 30 MiB are half a second of such a storm; a process that stalls once in a while has a stack or two waiting here.
	static constexpr std::size_t max_bytes = 30 << 20;

	collector::Collector &collector_;
	UniqueFd filled_, stopped_;
	std::mutex kernel_; // held by who reads the ring buffer: the order in it is the order here
	mutable std::mutex waiting_mutex_;
	std::deque<Event> waiting_;
	std::size_t waiting_bytes_ = 0;
	std::jthread watcher_;
};

} // namespace loopsnoop::session

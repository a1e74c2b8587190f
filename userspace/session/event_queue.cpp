// SPDX-License-Identifier: Apache-2.0
#include "session/event_queue.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <array>
#include <chrono>
#include <utility>
#include <variant>

#include "base/capabilities.h"
#include "base/pulse.h"
#include "base/scheduling.h"

namespace loopsnoop::session {

namespace {

// Between two times that the thread empties the ring buffer: it is a matter of megabytes, not of single records. None when that
// many bytes came at once: a thousand loops that stall together fill the buffer within milliseconds.
constexpr int pause_ms = 2;
constexpr std::size_t many_bytes = 256U << 10;

// What it occupies, roughly: copied stacks are nearly all of it.
std::size_t bytes_of(const Event &event) {
	std::size_t bytes = sizeof(Event);
	if (const auto *wait = std::get_if<RawWait>(&event)) {
		bytes += wait->stack.stack_bytes.size();
	} else if (const auto *waker = std::get_if<RawWaker>(&event)) {
		bytes += waker->stack.stack_bytes.size();
	} else if (const auto *sample = std::get_if<RawSample>(&event)) {
		bytes += sample->stack.stack_bytes.size();
	}
	return bytes;
}

} // namespace

EventQueue::EventQueue(collector::Collector &collector)
    : collector_(collector), filled_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), stopped_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
	// Without descriptors (too many are open) it does without the thread.
	if (filled_.valid() && stopped_.valid()) {
		watcher_ = std::jthread([this](const std::stop_token &stop) { watch(stop); });
	}
}

EventQueue::~EventQueue() {
	watcher_.request_stop();
	if (stopped_.valid()) {
		(void)eventfd_write(stopped_.get(), 1);
	}
}

void EventQueue::watch(const std::stop_token &stop) {
	(void)prctl(PR_SET_NAME, "loopsnoop-drain");
	// Those of the stalled loops among them: it only copies, and what it comes too late for is lost.
	go_before_ordinary_threads();
	(void)keep_capabilities({}); // it only reads what is mapped already
	Pulse pulse("drain");
	while (!stop.stop_requested()) {
		// Sleeps until the kernel side wakes its reader, unless there is something already.
		std::array<pollfd, 2> fds{pollfd{collector_.poll_fd(), POLLIN, 0}, pollfd{stopped_.get(), POLLIN, 0}};
		pulse.rest();
		(void)poll(fds.data(), fds.size(), -1);
		pulse.beat();
		std::size_t drained = 0;
		if (!stop.stop_requested() && !full()) {
			drained = drain();
			(void)eventfd_write(filled_.get(), 1);
		}
		if (drained < many_bytes) {
			(void)poll(&fds[1], 1, pause_ms);
		}
	}
}

std::size_t EventQueue::drain() {
	std::size_t drained = 0;
	const std::lock_guard one_at_a_time(kernel_);
	collector_.drain(std::chrono::milliseconds(0), [this, &drained](Event &&event) {
		const std::size_t bytes = bytes_of(event);
		drained += bytes;
		const std::lock_guard lock(waiting_mutex_);
		waiting_.push_back(std::move(event));
		waiting_bytes_ += bytes;
	});
	return drained;
}

std::size_t EventQueue::fetch() {
	eventfd_t times = 0;
	if (filled_.valid()) {
		(void)eventfd_read(filled_.get(), &times);
	}
	if (!full()) {
		drain();
	}
	const std::lock_guard lock(waiting_mutex_);
	return waiting_.size();
}

std::optional<Event> EventQueue::next() {
	const std::lock_guard lock(waiting_mutex_);
	if (waiting_.empty()) {
		return std::nullopt;
	}
	std::optional<Event> event(std::move(waiting_.front()));
	waiting_.pop_front();
	waiting_bytes_ = waiting_.empty() ? 0 : waiting_bytes_ - bytes_of(*event);
	return event;
}

bool EventQueue::empty() const {
	const std::lock_guard lock(waiting_mutex_);
	return waiting_.empty();
}

bool EventQueue::full() const {
	const std::lock_guard lock(waiting_mutex_);
	return waiting_bytes_ >= max_bytes;
}

} // namespace loopsnoop::session

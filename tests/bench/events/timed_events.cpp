// SPDX-License-Identifier: Apache-2.0
#include "timed_events.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/clock.h"

namespace loopsnoop::bench {

namespace {

constexpr int chunks_of_calls = 60;
constexpr int calls_in_chunk = 2000;
constexpr int chunks_of_sleeps = 50;
constexpr int sleeps_in_chunk = 300;

[[noreturn]] void die(const char *what) {
	std::perror(what);
	std::exit(1); // NOLINT(concurrency-mt-unsafe): nothing else runs
}

void pass(int fd, bool out) {
	char byte = 0;
	if ((out ? write(fd, &byte, 1) : read(fd, &byte, 1)) != 1) {
		die("a pipe between the benchmark's processes");
	}
}

} // namespace

TimedEvents::TimedEvents() : queue_(epoll_create1(EPOLL_CLOEXEC)) {
	if (queue_ < 0 || pipe(there_.data()) != 0 || pipe(back_.data()) != 0) {
		die("pipe");
	}
	partner_ = fork();
	if (partner_ == 0) {
		close(there_[1]);
		close(back_[0]);
		char byte = 0;
		while (read(there_[0], &byte, 1) == 1 && write(back_[1], &byte, 1) == 1) {
		}
		_exit(0);
	}
	close(there_[0]);
	close(back_[1]);
	epoll_event event{};
	event.events = EPOLLIN;
	if (epoll_ctl(queue_, EPOLL_CTL_ADD, back_[0], &event) != 0) {
		die("epoll_ctl");
	}
}

TimedEvents::~TimedEvents() {
	close(there_[1]);
	close(back_[0]);
	close(queue_);
	waitpid(partner_, nullptr, 0);
}

void TimedEvents::poll_once(int timeout_ms) const {
	epoll_event event{};
	(void)epoll_wait(queue_, &event, 1, timeout_ms);
}

void TimedEvents::loop_a_little() const {
	for (int i = 0; i < 100; i++) {
		poll_once(1);
	}
}

double TimedEvents::time_chunks(int chunks, int events, const std::function<void()> &event) const {
	std::vector<double> times;
	for (int chunk = 0; chunk < chunks; chunk++) {
		poll_once(0); // a new iteration
		const std::uint64_t start = monotonic_ns();
		for (int i = 0; i < events; i++) {
			event();
		}
		times.push_back(static_cast<double>(monotonic_ns() - start) / events);
	}
	std::sort(times.begin(), times.end());
	return times[times.size() / 2];
}

std::map<std::string, double> TimedEvents::measure(const std::function<void(const std::string &)> &after) const {
	std::map<std::string, double> ns;
	const auto told = [&](const std::string &name, double each) {
		ns[name] = each;
		if (after) {
			after(name);
		}
	};
	told("sleep in the poll call", time_chunks(chunks_of_sleeps, sleeps_in_chunk, [&] {
		     pass(there_[1], true);
		     poll_once(-1);
		     pass(back_[0], false);
	     }));
	// Away and back.
	told("context switch in a callback", time_chunks(chunks_of_sleeps, sleeps_in_chunk, [&] {
		                                     pass(there_[1], true);
		                                     pass(back_[0], false);
	                                     }) / 2);
	told("poll call", time_chunks(chunks_of_calls, calls_in_chunk, [&] { poll_once(0); }));
	int word = 0;
	told("futex call", time_chunks(chunks_of_calls, calls_in_chunk,
	                               [&] { (void)syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }));
	told("file call", time_chunks(chunks_of_calls, calls_in_chunk, [] { (void)openat(AT_FDCWD, "", O_RDONLY | O_CLOEXEC); }));
	told("other system call", time_chunks(chunks_of_calls, calls_in_chunk, [] { (void)syscall(SYS_getppid); }));
	return ns;
}

} // namespace loopsnoop::bench

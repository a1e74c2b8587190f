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
#include "pace/gauge.h"

namespace loopsnoop::bench {

namespace {

constexpr int chunks = 200;
constexpr int calls_in_chunk = 1000;
constexpr int sleeps_in_chunk = 100;
constexpr int chunks_of_run = 150;
constexpr std::size_t quickest_of = 50;
constexpr double quick = 1.15; // times what the quickest fiftieth of the gauges take: the core's own speed

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

std::vector<TimedEvents::Kind> TimedEvents::kinds() {
	return {
	    {"sleep in the poll call", sleeps_in_chunk, 1,
	     [&] {
		     pass(there_[1], true);
		     poll_once(-1);
		     pass(back_[0], false);
	     }},
	    {"context switch in a callback", sleeps_in_chunk, 2, // away and back
	     [&] {
		     pass(there_[1], true);
		     pass(back_[0], false);
	     }},
	    {"poll call", calls_in_chunk, 1, [&] { poll_once(0); }},
	    {"futex call", calls_in_chunk, 1, [&] { (void)syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }},
	    {"file call", calls_in_chunk, 1, [] { (void)openat(AT_FDCWD, "", O_RDONLY | O_CLOEXEC); }},
	    {"other system call", calls_in_chunk, 1, [] { (void)syscall(SYS_getppid); }},
	};
}

double TimedEvents::time_chunk(const Kind &kind) const {
	poll_once(0); // a new iteration
	const std::uint64_t start = monotonic_ns();
	for (int i = 0; i < kind.count; i++) {
		kind.event();
	}
	return static_cast<double>(monotonic_ns() - start) / kind.count / kind.parts;
}

std::uint64_t TimedEvents::gauge_ns() {
	const std::uint64_t start = monotonic_ns();
	gauge_stretch();
	return monotonic_ns() - start;
}

Measured TimedEvents::measure() {
	std::map<std::string, std::vector<Chunk>> by_kind;
	std::vector<double> gauges;
	const std::vector<Kind> all = kinds();
	auto before = static_cast<double>(gauge_ns());
	for (int chunk = 0; chunk < chunks; chunk++) {
		for (const Kind &kind : all) {
			const double ns = time_chunk(kind);
			const auto after = static_cast<double>(gauge_ns());
			by_kind[kind.name].push_back({ns, std::max(before, after)});
			gauges.push_back(after);
			before = after;
		}
	}
	std::sort(gauges.begin(), gauges.end());
	Measured measured;
	measured.gauge_ns = gauges[gauges.size() / quickest_of];
	for (auto &[name, each] : by_kind) {
		const auto strayed = [&](const Chunk &chunk) { return chunk.gauge_ns > quick * measured.gauge_ns; };
		if (std::all_of(each.begin(), each.end(), strayed)) {
			measured.strayed.push_back(name);
		} else {
			std::erase_if(each, strayed);
		}
		std::vector<double> turns;
		for (const Chunk &chunk : each) {
			turns.push_back(chunk.ns / chunk.gauge_ns);
		}
		std::sort(turns.begin(), turns.end());
		measured.ns[name] = turns[turns.size() / 10] * measured.gauge_ns;
	}
	return measured;
}

void TimedEvents::run(const std::function<void(const std::string &)> &after) {
	for (const Kind &kind : kinds()) {
		for (int chunk = 0; chunk < chunks_of_run; chunk++) {
			(void)time_chunk(kind);
		}
		after(kind.name);
	}
}

} // namespace loopsnoop::bench

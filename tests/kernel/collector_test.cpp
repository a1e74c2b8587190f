// SPDX-License-Identifier: Apache-2.0
#include "collector/collector.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <functional>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "catch.h"

using namespace loopsnoop;
using namespace loopsnoop::collector;

namespace {

constexpr std::uint64_t ms = 1'000'000;

void sleep_ns(std::uint64_t ns) {
	const timespec time{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
	nanosleep(&time, nullptr);
}

// An epoll loop in a process of its own: a timer every 20 ms, and `callback` on each.
class LoopProcess {
public:
	explicit LoopProcess(const std::function<void()> &callback) : pid_(fork()) {
		if (pid_ != 0) {
			return;
		}
		const UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, 0)), poll(epoll_create1(0));
		const itimerspec every{{0, 20 * ms}, {0, 20 * ms}};
		timerfd_settime(timer.get(), 0, &every, nullptr);
		epoll_event event{EPOLLIN, {}};
		epoll_ctl(poll.get(), EPOLL_CTL_ADD, timer.get(), &event);
		for (;;) {
			epoll_wait(poll.get(), &event, 1, -1);
			std::uint64_t ticks = 0;
			if (read(timer.get(), &ticks, sizeof(ticks)) == sizeof(ticks)) {
				callback();
			}
		}
	}
	LoopProcess(const LoopProcess &) = delete;
	LoopProcess &operator=(const LoopProcess &) = delete;
	LoopProcess(LoopProcess &&) = delete;
	LoopProcess &operator=(LoopProcess &&) = delete;
	~LoopProcess() { end(); }

	[[nodiscard]] std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }
	void end() {
		if (pid_ > 0) {
			kill(pid_, SIGKILL);
			waitpid(pid_, nullptr, 0);
			pid_ = -1;
		}
	}

private:
	pid_t pid_;
};

std::unique_ptr<Collector> start(std::set<std::string> without = {}) {
	CollectorOptions options;
	options.threshold_ns = 50 * ms;
	options.without = std::move(without);
	auto started = Collector::start(options);
	INFO((started ? "" : started.error().describe()));
	REQUIRE(started.ok());
	return std::move(*started);
}

// Drains until `done` says so; what the kernel has to say comes within a tick, so 10 s without is a failure.
std::vector<Event> drain_until(Collector &collector, const std::function<bool(const std::vector<Event> &)> &done) {
	std::vector<Event> events;
	const std::uint64_t until = monotonic_ns() + 10'000 * ms;
	while (!done(events) && monotonic_ns() < until) {
		collector.drain(std::chrono::milliseconds(20), [&](Event &&event) { events.push_back(std::move(event)); });
	}
	REQUIRE(done(events));
	return events;
}

template <typename T> std::vector<T> of(const std::vector<Event> &events) {
	std::vector<T> found;
	for (const Event &event : events) {
		if (const auto *one = std::get_if<T>(&event)) {
			found.push_back(*one);
		}
	}
	return found;
}

void check_sleeping_loop(Collector &collector, std::uint32_t pid) {
	REQUIRE(collector.followed().follow({pid, false, std::nullopt}).ok());
	const auto events = drain_until(collector, [](const auto &all) { return of<IterationEnded>(all).size() >= 7; });
	const auto loops = of<LoopAppeared>(events);
	REQUIRE_FALSE(loops.empty());
	CHECK(loops.back().poll_syscall == SYS_epoll_wait);
	for (const IterationEnded &iteration : of<IterationEnded>(events)) {
		if (iteration.before_attach) {
			continue;
		}
		const std::uint64_t duration = iteration.end_ns - iteration.start_ns;
		CHECK(duration >= 70 * ms);
		CHECK(part_of(iteration.breakdown, Cause::sleep).ns >= 69 * ms);
		std::uint64_t sum = 0;
		for (const CausePart &part : iteration.breakdown) {
			sum += part.ns;
		}
		CHECK(sum == duration);
	}
	const auto waits = of<RawWait>(events);
	REQUIRE_FALSE(waits.empty());
	CHECK(waits.back().cause == Cause::sleep);
	CHECK(waits.back().stack.have_registers);
	CHECK(waits.back().stack.stack_bytes.size() >= 256);
	CHECK_FALSE(waits.back().stack.kernel.empty());
	CHECK(waits.back().target.requested_ns == 70 * ms);
}

} // namespace

TEST_CASE("iterations of an epoll loop that sleeps in its callback") {
	const LoopProcess loop([] { sleep_ns(70 * ms); });
	const auto collector = start();
	CHECK(collector->missing().empty());
	check_sleeping_loop(*collector, loop.pid());
	const LossCounts losses = collector->losses();
	CHECK(losses.at(static_cast<std::size_t>(Loss::ringbuf_full)) == 0);
	CHECK(losses.at(static_cast<std::size_t>(Loss::no_slot)) == 0);
}

TEST_CASE("the same without tracefs, which is said to be missing") {
	const LoopProcess loop([] { sleep_ns(70 * ms); });
	const auto collector = start({"tracefs"});
	CHECK_FALSE(collector->missing().empty());
	check_sleeping_loop(*collector, loop.pid());
}

TEST_CASE("a loop that does nothing long has iterations and no records") {
	const LoopProcess loop([] {});
	const auto collector = start();
	REQUIRE(collector->followed().follow({loop.pid(), false, std::nullopt}).ok());
	std::vector<Event> events;
	std::vector<LoopState> states;
	const std::uint64_t until = monotonic_ns() + 10'000 * ms;
	do {
		collector->drain(std::chrono::milliseconds(20), [&](Event &&event) { events.push_back(std::move(event)); });
		states = collector->table().loops();
	} while ((states.empty() || states.front().iterations < 23) && monotonic_ns() < until);
	REQUIRE(states.size() == 1);
	CHECK(states.front().iterations >= 23);
	CHECK(states.front().idle_total_ns > states.front().busy_ns);
	CHECK(of<RawWait>(events).empty());
	for (const IterationEnded &iteration : of<IterationEnded>(events)) {
		CHECK(iteration.before_attach);
	}
}

TEST_CASE("a snapshot shows the thread, what it waits in, and its kernel stack") {
	const LoopProcess loop([] { sleep_ns(100'000 * ms); });
	const auto collector = start();
	REQUIRE(collector->followed().follow({loop.pid(), false, std::nullopt}).ok());
	std::vector<ThreadSnapshot> snapshots;
	const std::uint64_t until = monotonic_ns() + 10'000 * ms;
	do {
		snapshots = collector->followed().snapshot(loop.pid());
	} while ((snapshots.empty() || snapshots.front().syscall != SYS_clock_nanosleep) && monotonic_ns() < until);
	REQUIRE(snapshots.size() == 1);
	CHECK(snapshots.front().syscall == SYS_clock_nanosleep);
	CHECK(snapshots.front().state == ThreadView::State::sleeping);
	CHECK_FALSE(snapshots.front().stack.kernel.empty());
	CHECK(snapshots.front().stack.registers.sp() != 0);
}

TEST_CASE("the end of a process is reported, with its signal") {
	LoopProcess loop([] {});
	const auto collector = start();
	REQUIRE(collector->followed().follow({loop.pid(), false, std::nullopt}).ok());
	loop.end();
	const auto events = drain_until(*collector, [](const auto &all) { return !of<ThreadExited>(all).empty(); });
	const auto exits = of<ThreadExited>(events);
	CHECK(exits.back().process_ended);
	CHECK(WTERMSIG(exits.back().wait_status) == SIGKILL);
	CHECK(collector->table().loops().empty());
}

TEST_CASE("a process that is not there cannot be followed") {
	const auto collector = start();
	CHECK_FALSE(collector->followed().follow({4'194'303, false, std::nullopt}).ok());
}

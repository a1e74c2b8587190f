// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "fakes/fake_collector.h"
#include "fixture.h"
#include "model/session.h"
#include "model/settings.h"
#include "session/clock.h"

inline constexpr std::uint64_t ms = 1'000'000;
inline constexpr std::uint64_t s = 1'000'000'000;
// Beyond PID_MAX_LIMIT, so that no process of the machine is ever read in its place.
inline constexpr std::uint32_t server = 5'000'001;
inline constexpr std::uint32_t worker = 5'000'002;

// All that a session sees, without a kernel: a /proc, the kernel side's tables and events, and a clock. Threshold 100 ms,
// --hang-after 2 s, no standstills.
struct FakeWorld {
	loopsnoop::Settings settings;
	FixtureTree tree;
	FakeCollector collector;
	std::uint64_t now = 1000 * s;
	std::vector<loopsnoop::Record> records;

	static loopsnoop::Settings options() {
		loopsnoop::Settings settings;
		settings.threshold_ns = 100 * ms;
		settings.hang_after_ns = 2 * s;
		settings.stuck_after_ns = 0;
		return settings;
	}

	explicit FakeWorld(loopsnoop::Settings given) : settings(std::move(given)) { process(server, "server"); }
	FakeWorld(const FakeWorld &) = delete;
	FakeWorld &operator=(const FakeWorld &) = delete;
	FakeWorld(FakeWorld &&) = delete;
	FakeWorld &operator=(FakeWorld &&) = delete;
	virtual ~FakeWorld() = default;

	// The session hears of it.
	virtual void event(loopsnoop::Event event) = 0;

	// The machine was started at the epoch.
	[[nodiscard]] loopsnoop::session::Clock clock() {
		return {[this] { return now; }, [this] { return now; },
		        [this](std::uint64_t until_ns, std::initializer_list<int> /*descriptors*/) { sleep(until_ns); }};
	}

	// As in /proc; `born`: its start time in ticks.
	void process(std::uint32_t pid, const std::string &name, unsigned born = 100, std::uint32_t parent = 1) const {
		tree.process(pid, name, pid);
		tree.file(std::to_string(pid) + "/stat", std::to_string(pid) + " (" + name + ") S " + std::to_string(parent) +
		                                             " 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " + std::to_string(born) +
		                                             " 0 0 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n");
		tree.file(std::to_string(pid) + "/status", "Name:\t" + name + "\nState:\tS\nTgid:\t" + std::to_string(pid) + "\nPPid:\t" +
		                                               std::to_string(parent) + "\nUid:\t0\t0\t0\t0\nNSpid:\t" +
		                                               std::to_string(pid) + "\nThreads:\t1\n");
	}
	void process_gone(std::uint32_t pid) const { std::filesystem::remove_all(tree.path(std::to_string(pid))); }

	// A thread's first poll call, or with `provisional` a main thread that has not come to one; the table has it from then on.
	loopsnoop::LoopKey appears(std::uint32_t pid, std::uint32_t tid, bool provisional = false, int poll_fd = 3) {
		const loopsnoop::LoopKey key{next_slot_++, 1};
		collector.states[key].key = key;
		collector.states[key].pid = pid;
		collector.states[key].tid = tid;
		appears_again(key, provisional, poll_fd);
		return key;
	}
	void appears_again(loopsnoop::LoopKey key, bool provisional, int poll_fd = 3) {
		loopsnoop::LoopState &state = collector.states.at(key);
		state.provisional = provisional;
		loopsnoop::LoopAppeared appeared;
		appeared.key = key;
		appeared.time_ns = now;
		appeared.pid = state.pid;
		appeared.tid = state.tid;
		appeared.comm = "server";
		appeared.thread = "main";
		appeared.provisional = provisional;
		if (!provisional) {
			appeared.poll_syscall = 232; // epoll_wait
			appeared.poll_fd = poll_fd;
		}
		event(std::move(appeared));
	}
	// Its iteration of that number begins now, and it falls asleep in it.
	void blocks(loopsnoop::LoopKey key, std::uint64_t iteration, loopsnoop::Cause cause = loopsnoop::Cause::sleep) {
		loopsnoop::LoopState &state = collector.states.at(key);
		state.iteration = iteration;
		state.iteration_start_ns = state.off_since_ns = now;
		state.off_cause = cause;
		state.idle_since_ns = 0;
		state.changes++;
	}
	void goes_idle(loopsnoop::LoopKey key) {
		loopsnoop::LoopState &state = collector.states.at(key);
		state.iteration_start_ns = 0;
		state.off_since_ns = state.idle_since_ns = now;
		state.off_cause.reset();
		state.changes++;
	}
	// The record of an iteration's end, `ns` long, ending now.
	void ended(loopsnoop::LoopKey key, std::uint64_t iteration, std::uint64_t ns, bool provisional = false,
	           loopsnoop::IterationEnded::By by = loopsnoop::IterationEnded::By::poll) {
		loopsnoop::IterationEnded end;
		end.key = key;
		end.pid = collector.states.at(key).pid;
		end.tid = collector.states.at(key).tid;
		end.iteration = iteration;
		end.start_ns = now - ns;
		end.end_ns = now;
		end.by = by;
		end.provisional = provisional;
		part_of(end.breakdown, loopsnoop::Cause::sleep) = {ns, 1};
		event(end);
	}
	// The last thread of the process is gone, with its loop.
	void exits(std::uint32_t pid, loopsnoop::LoopKey key, int wait_status = 0) {
		collector.states.erase(key);
		loopsnoop::ThreadExited exit;
		exit.time_ns = now;
		exit.pid = exit.tid = pid;
		exit.process_ended = true;
		exit.wait_status = wait_status;
		exit.loop = loopsnoop::LoopEnd{key, 7, 3 * s, 4 * s, 2 * s};
		event(exit);
	}

	// All records of one kind.
	template <typename T> [[nodiscard]] std::vector<T> all() const {
		std::vector<T> found;
		for (const loopsnoop::Record &record : records) {
			if (const T *one = std::get_if<T>(&record)) {
				found.push_back(*one);
			}
		}
		return found;
	}
	[[nodiscard]] std::vector<loopsnoop::Stall> stalls() const { return all<loopsnoop::Stall>(); }

protected:
	// The session sleeps until then.
	virtual void sleep(std::uint64_t until_ns) { now = std::max(now, until_ns); }

private:
	std::uint32_t next_slot_ = 1;
};

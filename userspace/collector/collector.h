// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/event.h"
#include "model/loss.h"
#include "model/python_layout.h"
#include "model/settings.h"

namespace loopsnoop::collector {

struct CollectorOptions {
	std::uint64_t threshold_ns = Settings::default_threshold_ns;
	std::uint32_t stack_bytes = Settings::default_stack_bytes; // a multiple of Settings::stack_bytes_unit
	// Loop threads followed at once, Settings::max_max_loops at most; each costs stack_bytes and 12 KiB of kernel memory.
	std::uint32_t max_loops = Settings::default_max_loops;
	bool shared_slots = false;     // several processes: the last quarter of them is for those that have few
	std::set<std::string> without; // features forced off: "tracefs", "file-tracepoints", "cpu-samples"
	bool discover = false;         // reports threads that poll like a loop and are not followed
	bool process_history = false;  // what becomes of processes followed with their children: see `activity`
	bool snapshots_only = false;   // `snapshot` and `sample_threads` alone: no hook is attached, and leaving takes no time
	bool verbose = false;          // libbpf's messages and the verifier's log to stderr
};

struct FollowRequest {
	std::uint32_t pid = 0;
	bool children = false;
	std::optional<std::uint32_t> forced_tid;
	bool found = false;  // by discovery: only threads that poll are loops, and an exec() ends it
	bool server = false; // of those found: a server by its name, so its main thread's time counts before it polls
};

// On-CPU stacks of threads of one process.
struct SamplingRequest {
	std::vector<std::uint32_t> tids;
	std::optional<PythonLayout> python; // how its interpreter's frames are walked
	std::uint64_t enough = 8;           // samples of a thread: then it is left alone
	// It takes no longer than the first, or, while there are threads that have not run at all, than the second.
	std::uint64_t usual_ns = 100'000'000;
	std::uint64_t longest_ns = 300'000'000;
};

// The processes that are followed, and which of their threads are taken for loops.
class FollowedProcesses {
public:
	virtual ~FollowedProcesses() = default;
	FollowedProcesses(const FollowedProcesses &) = delete;
	FollowedProcesses &operator=(const FollowedProcesses &) = delete;
	FollowedProcesses(FollowedProcesses &&) = delete;
	FollowedProcesses &operator=(FollowedProcesses &&) = delete;

	// Begins to follow a process that runs: every thread of it, those that it makes meanwhile included.
	virtual Result<void> follow(const FollowRequest &request) = 0;
	// The same for many at once, whose ends meanwhile are no errors. What the table has no room for is a loss (no_slot).
	virtual void follow_all(const std::vector<FollowRequest> &requests) = 0;
	// The threads that are not followed. Takes about a millisecond for a thousand threads. Only with CollectorOptions::discover.
	[[nodiscard]] virtual std::vector<UnfollowedThread> census() = 0;
	// No other thread of the process is taken for a loop: they take turns at one poll descriptor.
	virtual void is_pool(std::uint32_t pid) = 0;
	// Takes poll() and select() loops of any thread of the process, because no better one was found.
	virtual void accept_weak_loops(std::uint32_t pid) = 0;

	// Every thread of a followed process, as it is now.
	[[nodiscard]] virtual std::vector<ThreadSnapshot> snapshot(std::uint32_t pid) = 0;

	// Takes the poll call that this followed thread sleeps in for its loop's own: it was asleep in it when it was first seen.
	// What distinguishes it from a client library's poll() is what it waits on, which only user space can read then.
	virtual void adopt_poll(std::uint32_t pid, std::uint32_t tid, bool several_descriptors) = 0;
	// The epoll call that this followed thread sleeps in is one of a callback's, on a descriptor that lives as long as that: its
	// loop is on `poll_fd`, and what it is in now is an iteration that began before.
	virtual void correct_poll(std::uint32_t pid, std::uint32_t tid, int poll_fd) = 0;
	// Follows this thread as a loop though it has not been seen polling.
	virtual void force_loop(std::uint32_t pid, std::uint32_t tid) = 0;

protected:
	FollowedProcesses() = default;
};

// The loops as the kernel side has them, and what user space lets it know of each.
class LoopTable {
public:
	virtual ~LoopTable() = default;
	LoopTable(const LoopTable &) = delete;
	LoopTable &operator=(const LoopTable &) = delete;
	LoopTable(LoopTable &&) = delete;
	LoopTable &operator=(LoopTable &&) = delete;

	// The loops as they are now.
	[[nodiscard]] virtual std::vector<LoopState> loops() const = 0;
	// Those that are not asleep in their own poll call.
	[[nodiscard]] virtual std::vector<LoopState> busy_loops() const = 0;
	[[nodiscard]] virtual std::optional<LoopState> loop(LoopKey key) const = 0;
	// The wait a loop is in now or had last (waits in a row of one stack); nullopt: none, or it moved while it was read.
	[[nodiscard]] virtual std::optional<RawWait> current_wait(LoopKey key) const = 0;

	// Lets the kernel side know how to walk Python frames of this loop thread.
	virtual void set_python(LoopKey key, const PythonLayout &layout, std::uint64_t tstate) = 0;

protected:
	LoopTable() = default;
};

// The kernel side: programs, their attachments, and what they hand up. When it is destroyed, or its process is killed, the kernel
// removes everything: nothing is pinned.
//
// One thread calls it, but for two things. `drain` may run in a second thread while the first calls anything else, never twice at
// once (session::EventQueue sees to that). LoopTable::loops may be called by any thread at any time: the exporter reads the
// kernel's tables with it while the session goes on (session::LiveNumbersLender).
class Collector {
public:
	// Loads and attaches. The Error is one line for a person.
	static Result<std::unique_ptr<Collector>> start(const CollectorOptions &options);
	virtual ~Collector() = default;

	Collector(const Collector &) = delete;
	Collector &operator=(const Collector &) = delete;
	Collector(Collector &&) = delete;
	Collector &operator=(Collector &&) = delete;

	// What could not be attached, a sentence each.
	[[nodiscard]] virtual const std::vector<std::string> &missing() const = 0;

	[[nodiscard]] virtual FollowedProcesses &followed() = 0;
	[[nodiscard]] virtual LoopTable &table() = 0;
	[[nodiscard]] virtual const LoopTable &table() const = 0;

	// Waits up to `timeout` for the kernel to have much to say, then hands over all there is, in order.
	virtual void drain(std::chrono::milliseconds timeout, const std::function<void(Event &&)> &sink) = 0;
	// To wait on together with other descriptors; readable when the ring buffer fills up.
	[[nodiscard]] virtual int poll_fd() const = 0;

	// No more account of this loop (a main thread that is none), or again one.
	virtual void ignore(LoopKey key, bool ignored) = 0;
	// Samples on-CPU stacks of this loop thread, as long as its iteration has gone on for a quarter of the threshold or more.
	virtual void sample(LoopKey key, std::uint32_t tid) = 0;
	// Samples threads of a followed process, each millisecond of their CPU time, whatever they do; their samples are of no loop.
	// Waits until there are enough. Returns those that the kernel refused a perf event for; of one that does not run there is
	// none. Only with CollectorOptions::snapshots_only, where nothing else drains.
	[[nodiscard]] virtual std::vector<std::uint32_t> sample_threads(const SamplingRequest &request,
	                                                                const std::function<void(RawSample &&)> &sink) = 0;

	// What a process did that is (or was) followed with its children; nullopt: nothing of note, or `process_history` is off.
	[[nodiscard]] virtual std::optional<ProcessActivity> activity(std::uint32_t pid) const = 0;
	// Whether ProcessActivity::accepted can be had.
	[[nodiscard]] virtual bool counts_accepts() const = 0;
	// Of a process that has ended: nobody will ask for it again.
	virtual void forget_activity(std::uint32_t pid) = 0;

	[[nodiscard]] virtual LossCounts losses() const = 0;

	// Of CPU time between two samples of a loop thread: short enough for a stall that is just over the threshold to have one.
	[[nodiscard]] virtual std::uint64_t sample_period_ns() const = 0;

	static constexpr std::uint64_t max_sample_period_ns = 5'000'000;
	static constexpr std::uint64_t min_sample_period_ns = 500'000;

protected:
	Collector() = default;
};

} // namespace loopsnoop::collector

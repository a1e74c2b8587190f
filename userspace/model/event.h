// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model/capture.h"
#include "model/cause.h"
#include "model/descriptor.h"
#include "model/special_members.h"
#include "model/stall.h"

namespace loopsnoop {

// What the collector hands up: observations as plain values. Times are CLOCK_MONOTONIC ns: `..._at_ns`, `..._since_ns`,
// `start_ns`, `end_ns`, `time_ns`, `now_ns` are moments, every other `..._ns` is a length of time. The kernel side sends numbers
// only. The session fills in `python`, `named` and `thread` of samples and wakers by name as soon as it receives them, because
// the thread that they are of may end before the stall does.

// A place in the kernel's table of loops, and which of its occupants.
struct LoopKey {
	std::uint32_t slot = 0;
	std::uint32_t generation = 0;
	bool operator==(const LoopKey &) const = default;
	auto operator<=>(const LoopKey &) const = default; // NOLINT(modernize-use-nullptr): what clang makes of it
};

struct LoopAppeared {
	LoopKey key;
	std::uint64_t time_ns = 0;
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	std::string comm;
	std::string thread;
	bool provisional = false; // a main thread that has not come to a poll call yet
	std::optional<long> poll_syscall;
	std::optional<int> poll_fd;
};

// What a blocked call waits on, as far as the kernel side could see it when the wait began.
struct WaitTarget {
	LOOPSNOOP_SPECIAL_MEMBERS(WaitTarget);

	std::vector<DescriptorSnapshot> descriptors;
	std::uint32_t descriptors_total = 0;
	std::optional<std::string> path; // of a call that takes one, as the call has it
	std::optional<int> directory_fd; // that a relative path is below of; nullopt: the working directory
	std::optional<std::uint64_t> futex_address;
	std::optional<std::uint64_t> fault_address; // what a page fault was for
	std::optional<std::uint64_t> requested_ns;
	std::optional<std::uint32_t> child_pid;
	bool waits_for_child = false;
	bool sleeps = false; // nothing but time is waited for
};

// Waits in a row of one stack: ended, or still going on (in a snapshot of a running stall).
struct RawWait {
	LOOPSNOOP_SPECIAL_MEMBERS(RawWait);

	LoopKey key;
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	std::uint64_t iteration = 0;
	Cause cause = Cause::other;
	std::optional<long> syscall;
	std::uint64_t start_ns = 0;
	std::uint64_t end_ns = 0;
	std::uint64_t off_ns = 0;
	std::uint64_t run_delay_ns = 0;
	std::uint64_t count = 0;
	std::uint64_t stack_key = 0;             // equal: equal registers and frames; 0: not captured
	std::optional<std::uint64_t> call_ns;    // whole length of the hooked calls these waits were part of
	std::optional<std::int64_t> call_result; // of the last of them
	bool ongoing = false;
	WaitTarget target;
	RawStack stack;
	std::optional<Waker> waker;              // its context is not decided yet: that follows from waker_kernel
	std::vector<std::uint64_t> waker_kernel; // kernel addresses, innermost first; empty: not taken
	std::optional<RawStack> waker_stack;     // its user stack, in its own address space; nullopt: not taken
	std::vector<SourceFrame> waker_python;   // its Python frames by name, read as soon as they came
};

// Who ended a wait (the longest so far of those in a row), where it stood in its own code. The wait itself is reported later.
struct RawWaker {
	LOOPSNOOP_SPECIAL_MEMBERS(RawWaker);

	LoopKey key;
	std::uint64_t iteration = 0;
	std::uint64_t wait_start_ns = 0; // RawWait::start_ns
	RawStack stack;                  // of the waker; no kernel frames
	std::vector<SourceFrame> python; // by name, read as soon as it came
	std::string thread;              // its name as Python has it, read likewise; empty: none
};

// A wait for CPython's GIL has ended: who held it when it began. Only of iterations that are suspicious already.
struct RawGilWait {
	LoopKey key;
	std::uint32_t pid = 0; // of the waiting thread, as is the process of the holder
	std::uint32_t tid = 0;
	std::uint64_t iteration = 0;
	std::uint64_t start_ns = 0;
	std::uint64_t waited_ns = 0;
	std::uint64_t holder_state = 0;     // address of its PyThreadState
	std::uint64_t holder_thread_id = 0; // pthread_self()
	std::uint32_t holder_native_id = 0; // its tid as it sees it itself; 0: not known
	std::vector<PythonFrameRef> python; // what it ran then, innermost first
};

struct IterationEnded {
	LoopKey key;
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	std::uint64_t iteration = 0;
	std::uint64_t start_ns = 0;
	std::uint64_t end_ns = 0;
	bool before_attach = false;
	bool provisional = false;
	enum class By : std::uint8_t { poll, exit, exec } by = By::poll;
	Breakdown breakdown{};
	std::optional<Runner> runner; // without `name`
};

struct RawSample {
	LOOPSNOOP_SPECIAL_MEMBERS(RawSample);

	LoopKey key;
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	std::uint64_t iteration = 0;
	std::uint64_t time_ns = 0;
	std::uint64_t periods = 1; // of the sampling, that it stands for
	RawStack stack;
	std::vector<SourceFrame> python; // by name, read as soon as the sample came
	std::optional<Stack> named;      // all of it, where that had to be read at once, too; `stack` has no bytes then
};

struct Forked {
	std::uint64_t time_ns = 0;
	std::uint32_t pid = 0;
	std::uint32_t child = 0;
	bool followed = false;
};

// A loop thread's account when it ended.
struct LoopEnd {
	LoopKey key;
	std::uint64_t iterations = 0;
	std::uint64_t busy_ns = 0;
	std::uint64_t idle_ns = 0;
	std::uint64_t longest_ns = 0;
};

struct Execed {
	std::uint64_t time_ns = 0;
	std::uint32_t pid = 0;
	std::string comm;
	std::optional<LoopEnd> loop; // of the thread that called exec()
};

struct ThreadExited {
	std::uint64_t time_ns = 0;
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	bool process_ended = false;
	int wait_status = 0; // as waitpid() has it; of the process when it ended
	std::optional<LoopEnd> loop;
};

// A thread that nobody follows polls as a loop does.
struct Candidate {
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	std::string comm; // of the process
	std::optional<long> poll_syscall;
	std::optional<int> poll_fd; // epoll and io_uring only
	bool weak = false;          // in poll or select
};

using Event =
    std::variant<LoopAppeared, RawWait, RawWaker, RawGilWait, IterationEnded, RawSample, Forked, Execed, ThreadExited, Candidate>;

// A thread that nobody follows, as a census found it: main threads, and others that are asleep in an epoll call.
struct UnfollowedThread {
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	std::uint32_t program = 0; // another number of the same process: it has become another program (exec)
	std::uint64_t born_ns = 0; // CLOCK_BOOTTIME: distinguishes processes with the same pid
	bool copy = false;         // forked, and not exec()ed since: its descriptors may be its parent's
	std::string thread;        // of a main thread: the process's name
	enum class In : std::uint8_t { something, poll, epoll } in = In::something;
	std::optional<int> poll_fd; // epoll and io_uring only
};

// What the kernel side knows of the life of a process that is followed together with its children.
struct ProcessActivity {
	struct Write {
		std::uint64_t time_ns = 0;
		std::string path; // as the call had it: may be relative
	};
	struct SignalSent {
		int signal = 0;
		std::uint64_t time_ns = 0;
		std::uint32_t sender = 0; // process
		std::string sender_comm;
		bool was_idle = false; // the main thread was in its loop's own poll call then
	};
	std::optional<std::uint64_t> accepted; // connections; nullopt: not hooked
	std::vector<Write> writes;             // files opened for writing, oldest first, the last ones
	std::optional<SignalSent> signal;      // the last one that ends processes
};

// Bucket i counts times below 2^i microseconds (and not below 2^(i-1)); the last one counts all others.
using Histogram = std::array<std::uint64_t, 32>;

// Since when a loop has something to do; 0: it is idle. One that was woken in its own poll call begins its iteration when it is
// seen to run: until then, on the run queue or after a switch back that was not traced, the wake-up counts.
[[nodiscard]] constexpr std::uint64_t busy_since(std::uint64_t iteration_start_ns, std::uint64_t off_since_ns,
                                                 std::uint64_t woken_at_ns) {
	return iteration_start_ns == 0 && off_since_ns != 0 && woken_at_ns > off_since_ns ? woken_at_ns : iteration_start_ns;
}

// A loop's account at one moment, read from the kernel's table while it goes on.
struct LoopState {
	LoopKey key;
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	bool provisional = false;
	bool before_attach = false;
	std::uint64_t changes = 0; // moves whenever the thread does
	std::uint64_t followed_ns = 0;
	std::uint64_t iteration = 0;
	std::uint64_t iteration_start_ns = 0; // of the running iteration, 0: idle
	std::uint64_t off_since_ns = 0;       // off CPU since, 0: on CPU
	std::uint64_t woken_at_ns = 0;        // of the last wake-up
	std::uint64_t idle_since_ns = 0;      // asleep in its own poll call since, 0: it is not
	std::optional<Cause> off_cause;
	std::optional<long> off_syscall;
	std::uint64_t thread_pointer = 0; // the register: pthread_self()
	bool open_run = false;            // current_wait() has something
	std::uint64_t iterations = 0;
	std::uint64_t busy_ns = 0;
	std::uint64_t idle_total_ns = 0;
	std::uint64_t longest_ns = 0;
	Breakdown account{};          // of the running iteration: waits that have ended
	std::optional<Runner> runner; // of the running iteration, without `name`
	Breakdown total{};
	std::uint64_t poll_delay_ns = 0; // from woken out of the poll call to running, all iterations
	Histogram iteration_times{};
	Histogram poll_delays{};
};

// One thread as a snapshot found it.
struct ThreadSnapshot {
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	std::string thread;
	ThreadView::State state = ThreadView::State::sleeping;
	bool running = false;
	std::uint64_t now_ns = 0;
	std::uint64_t off_since_ns = 0; // off CPU since; 0: running or not known
	std::uint64_t switches = 0;     // times it has gone off CPU since it began; the same twice: it did not run in between
	std::optional<long> syscall;
	std::array<std::uint64_t, 6> args{};
	std::uint64_t thread_pointer = 0; // the register: pthread_self()
	bool stopped = false;
	bool adopted = false;  // this snapshot began to follow it
	bool has_loop = false; // it has a place in the table of loops
	std::optional<DescriptorSnapshot> descriptor;
	RawStack stack; // registers and kernel frames; no copied bytes
};

} // namespace loopsnoop

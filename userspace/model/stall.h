// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/cause.h"
#include "model/clients.h"
#include "model/left_out.h"
#include "model/process_name.h"
#include "model/resource.h"
#include "model/special_members.h"
#include "model/stack.h"

namespace loopsnoop {

struct Waker {
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	std::string comm;   // process name
	std::string thread; // thread name
	bool interrupt = false;
	std::optional<Stack> stack;
};

// Who ran on the loop's CPU until the loop got that back; of several times the longest.
struct Runner {
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	std::string comm;         // process name
	std::string thread;       // thread name
	std::uint64_t ran_ns = 0; // while the loop waited for it
	std::string name = {};    // as of a Peer
};

// A child that a signal ended, of whose work a wait is for the result.
struct KilledWorker {
	std::uint32_t pid = 0;
	std::string signal; // "SIGKILL"
};

// One entry of a stall's `waits`: waits in a row with the same cause and stack are one.
struct Wait {
	LOOPSNOOP_SPECIAL_MEMBERS(Wait);

	Cause cause = Cause::other;
	std::optional<std::string> syscall; // null: not in a system call (page fault, preemption)
	std::uint64_t start_ns = 0;
	std::uint64_t duration_ns = 0;  // off CPU, run-queue delay included
	std::uint64_t run_delay_ns = 0; // the part of it runnable but not running
	std::uint64_t count = 0;
	bool ongoing = false; // still waiting when the record was made
	std::optional<Resource> resource;
	std::optional<Stack> stack;
	StackFrom stack_from = StackFrom::none;
	std::optional<Waker> waker;
};

struct CpuPart {
	std::uint64_t samples = 0;
	std::uint64_t ns = 0; // of CPU time that they stand for
	Stack stack;
};

// One thread that held the GIL while the loop waited for it, in one place of its code. Inferred: CPython's own variables, read as
// the loop thread went to sleep, which it does every switch interval (5 ms) of a wait.
struct GilHolding {
	std::uint32_t tid = 0;
	std::string thread; // empty: it was gone before its name was read
	std::uint64_t samples = 0;
	std::uint64_t ns = 0; // of the waits that were sampled
	Stack stack;          // Python frames only
};

// All waits of a stall for the GIL as one.
struct GilStory {
	std::uint64_t ns = 0; // waited, without run-queue delay: as the breakdown has it
	std::uint64_t count = 0;
	std::vector<GilHolding> holders; // most samples first
};

// Why a thread that ran as it was looked at has no stack.
enum class NoStack : std::uint8_t { too_many, refused, not_run };
[[nodiscard]] constexpr std::string_view name_of(NoStack why) {
	switch (why) {
	case NoStack::too_many: return "too_many";
	case NoStack::refused: return "refused";
	case NoStack::not_run: break;
	}
	return "not_run";
}

struct ThreadView {
	LOOPSNOOP_SPECIAL_MEMBERS(ThreadView);

	enum class State : std::uint8_t { running, runnable, sleeping, disk_sleep, stopped };
	std::uint32_t tid = 0;
	std::string thread;
	State state = State::sleeping;
	std::optional<std::uint64_t> waited_ns;
	std::optional<Cause> cause;
	std::optional<std::string> syscall;
	std::optional<Resource> resource;
	std::optional<bool> holds_gil;
	std::optional<Stack> stack;
	std::uint64_t frames_left_out = 0; // of `stack`, the outermost: the names of all threads together took too much memory
	bool sampled = false;              // `stack` was taken while it computed
	std::optional<NoStack> no_stack;   // unset: it has one, or nothing is known
	bool moved = false;   // it slept when it was inspected and has run since: what is reported of it may be of several moments
	bool endless = false; // its system call was given no time-out, so that only what it waits for ends it; not part of any record
};

[[nodiscard]] constexpr std::string_view name_of(ThreadView::State state) {
	switch (state) {
	case ThreadView::State::running: return "running";
	case ThreadView::State::runnable: return "runnable";
	case ThreadView::State::sleeping: break;
	case ThreadView::State::disk_sleep: return "disk_sleep";
	case ThreadView::State::stopped: return "stopped";
	}
	return "sleeping";
}

// A socket that a process listens on.
struct Listener {
	std::string address;                  // "127.0.0.1:8000"; the path of a unix socket
	std::optional<std::uint64_t> waiting; // connections that nobody has accepted yet; unset: not known (unix sockets)
};

// What is known of a process that serves nobody yet.
struct Startup {
	std::vector<Listener> listening;
	std::uint64_t process_age_ns = 0; // since it was forked, when the record was made
};

// A wait for something that others take from the same pool, and give back: connections to a database, say.
struct PoolWait {
	std::string pool; // "SQLAlchemy's connection pool"
	// Other threads of the process that are in code of the pool's library, and do not wait for the pool themselves: they may have
	// what is waited for. Inferred. Empty: nobody is about to give anything back.
	std::vector<std::uint32_t> users;
	std::vector<std::uint32_t> waiters; // other threads that wait for it, too
};

// What the process at the other end does meanwhile: one thread of it, that which waits for us, or the main thread.
struct PeerSnapshot {
	std::uint32_t pid = 0;
	std::string comm;
	bool waits_for_us = false; // for an answer from the very process that waits for it
	ThreadView thread;
	std::string name = {};  // as of a Peer
	std::string title = {}; // what it calls itself, where that says what it does: "postgres: shop shop [local] UPDATE waiting"
	bool child = false;     // it is a child whose end is waited for
};

// Why nothing that is there can end a wait.
enum class NoEnd : std::uint8_t {
	only_thread, // the process has no other thread, and no other process can do it
	others_idle, // its other threads wait for work, and this loop would have to give it to them
	timer,       // the same, but at least one of them waits with a time-out: what it does then may end it
	before_fork, // the lock was taken before the process was forked, by a thread that was not forked with it
	each_other,  // a thread or process that it waits for waits for it in turn
};
[[nodiscard]] constexpr std::string_view name_of(NoEnd why) {
	switch (why) {
	case NoEnd::others_idle: return "others_idle";
	case NoEnd::timer: return "timer";
	case NoEnd::before_fork: return "before_fork";
	case NoEnd::each_other: return "each_other";
	case NoEnd::only_thread: break;
	}
	return "only_thread";
}

// The limit of a cgroup that holds a process back.
struct CgroupLimit {
	std::string path;                           // "/system.slice/shop.service"
	std::optional<std::uint64_t> cpu_quota_ns;  // of CPU time
	std::optional<std::uint64_t> cpu_period_ns; // in so much time
	std::optional<std::uint64_t> memory_bytes;
};

// The task of an asynchronous framework whose step a stall was.
struct StallTask {
	std::uint64_t id = 0;  // address of its object
	std::string name;      // as the program has it: "Task-7", or what it was given
	std::string coroutine; // qualified name of its outermost coroutine; empty: not known
};

// How much of a stall's CPU time the interpreter's garbage collector took, by the samples that were in it.
struct GcPart {
	std::uint64_t ns = 0;
	std::optional<std::uint64_t> generation;            // the oldest that was collected; unset: not known
	std::optional<std::uint64_t> heap_limit_bytes = {}; // of V8's old generation, where its command line gives one
	std::optional<std::uint64_t> resident_bytes = {};   // that the process had then
};

enum class Truncated : std::uint8_t { no, before_attach, session_end, target_exit, end_lost };
[[nodiscard]] constexpr std::string_view name_of(Truncated truncated) {
	switch (truncated) {
	case Truncated::before_attach: return "before_attach";
	case Truncated::session_end: return "session_end";
	case Truncated::target_exit: return "target_exit";
	case Truncated::end_lost: return "end_lost"; // its end was not heard of; it had ended when it was looked for
	case Truncated::no: break;
	}
	return "";
}

// One record of a stall: an iteration at least as long as the threshold.
struct Stall {
	LOOPSNOOP_SPECIAL_MEMBERS(Stall);

	std::uint64_t id = 0;
	bool ongoing = false;
	std::uint64_t start_ns = 0;
	std::string started_at; // RFC 3339
	std::uint64_t duration_ns = 0;
	Truncated truncated = Truncated::no;
	std::uint32_t pid = 0;
	std::uint32_t tid = 0;
	std::string comm;
	ProcessName name;
	std::string thread;
	Cause cause = Cause::other;
	Breakdown breakdown{};
	std::optional<SourceFrame> culprit;
	std::string summary;
	std::optional<std::string> advice; // one line, only where it is sure
	bool no_loop_yet = false;          // the process never came to a poll call: a hang at start-up
	bool goes_on = false;              // of the last record: loopsnoop stopped following, the stall had not ended
	std::vector<Wait> waits;
	std::vector<CpuPart> cpu;
	std::optional<GilStory> gil;               // when it waited for the GIL at all
	std::optional<std::uint64_t> throttled_ns; // its cgroup was held back by a CPU limit for so long meanwhile; unset: not known
	std::optional<Startup> startup;            // it waits before it has served anybody
	std::optional<PoolWait> pool;              // of the wait that explains it
	std::optional<PeerSnapshot> peer;          // of the wait that explains it; stalls that were ever ongoing
	std::vector<PeerSnapshot> beyond;          // what that one waits for in turn, and so on
	std::optional<NoEnd> no_end;               // of a stall that goes on: nothing that is there can end it
	std::optional<KilledWorker>
	    killed_worker;                      // of a multiprocessing.Pool whose result is waited for; stalls that were ever ongoing
	std::optional<CgroupLimit> limit;       // of the cgroup that held it back
	std::optional<Runner> runner;           // where it waited for a CPU for a good part of its time; unset: not known
	std::optional<StallTask> task;          // that ran; unset: none did, or it is not known. Read while the stall went on
	std::optional<std::uint64_t> callbacks; // that it came to, at least; unset: one was most of it, or it is not known
	std::optional<GcPart> gc;               // unset: none was seen
	std::optional<std::vector<ThreadView>> threads;
	std::optional<std::vector<std::uint32_t>> deadlock;
	std::optional<Clients> clients;  // who waits for the process meanwhile; stalls that were ever ongoing, where somebody does
	std::optional<LeftOut> left_out; // when the record was too large
};

} // namespace loopsnoop

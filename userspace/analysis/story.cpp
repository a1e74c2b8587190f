// SPDX-License-Identifier: Apache-2.0
#include "analysis/story.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <variant>

#include "analysis/advice.h"
#include "analysis/chain_words.h"
#include "analysis/circumstances.h"
#include "analysis/culprit.h"
#include "analysis/database_wait.h"
#include "analysis/garbage.h"
#include "analysis/gil_story.h"
#include "analysis/kernel_frames.h"
#include "analysis/pool_wait.h"
#include "analysis/wait_graph.h"
#include "analysis/waker_words.h"
#include "analysis/standstill_summary.h"
#include "base/duration.h"

namespace loopsnoop::analysis {

namespace {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
	return std::find(names.begin(), names.end(), name) != names.end();
}

std::string of_peer(const std::optional<Peer> &peer, std::string_view how) {
	return peer ? fmt::format(" {} {} (pid {})", how, peer->comm, peer->pid) : std::string();
}

std::string end_of(const SocketResource &socket) {
	if (socket.remote) {
		return *socket.remote;
	}
	if (socket.path) {
		return socket.protocol + " socket " + *socket.path;
	}
	if (socket.local && socket.protocol != "unix") {
		return *socket.local;
	}
	return "a " + socket.protocol + " socket";
}

std::string describe(const SocketResource &socket, std::string_view call) {
	const std::string end = end_of(socket) + of_peer(socket.peer, "of");
	if (call == "connect" || socket.state == "SYN_SENT") {
		return fmt::format("connecting to {}{}", end, socket.state == "SYN_SENT" ? ", which does not answer (SYN_SENT)" : "");
	}
	if (is_one_of(call, {"accept", "accept4"})) {
		return fmt::format("waiting for a connection to {}", socket.local.value_or(socket.path.value_or("its socket")));
	}
	if (is_one_of(call, {"write", "writev", "sendto", "sendmsg", "sendmmsg", "sendfile"})) {
		return fmt::format("waiting to send to {}", end);
	}
	return fmt::format("waiting for an answer from {}", end);
}

std::string describe(const FileResource &file, std::string_view call) {
	const std::string path = file.path.value_or(file.fd ? fmt::format("descriptor {}", *file.fd) : "a file");
	if (call == "flock" || call == "fcntl") {
		return fmt::format("waiting for a lock on {}{}", path, of_peer(file.holder, "held by"));
	}
	return call.empty() ? fmt::format("waiting for {}", path) : fmt::format("in {}() of {}", call, path);
}

std::string describe(const PipeResource &pipe, std::string_view call) {
	const std::string what = pipe.path ? "FIFO " + *pipe.path : "a pipe";
	if (is_one_of(call, {"write", "writev", "splice", "tee", "vmsplice"})) {
		return fmt::format("writing to {}{}, which is full", what, of_peer(pipe.peer, "read by"));
	}
	if (is_one_of(call, {"open", "openat", "openat2"})) {
		return fmt::format("opening {}, whose other end nobody has opened", what);
	}
	return fmt::format("reading from {}{}", what, of_peer(pipe.peer, "written by"));
}

std::string describe(const FutexResource &futex, std::string_view /*call*/) {
	const std::string lock = futex.lock == LockKind::pthread_mutex ? "a pthread mutex" : lock_words(futex);
	if (futex.holder && futex.type == thread_end) {
		return fmt::format("waiting for the end of thread {}(tid {})",
		                   futex.holder->thread.empty() ? "" : futex.holder->thread + " ", futex.holder->tid);
	}
	if (futex.holder) {
		return fmt::format("waiting for {} {}held by {} (tid {})", lock, futex.holder->inferred ? "probably " : "",
		                   futex.holder->thread.empty() ? "thread" : "thread " + futex.holder->thread, futex.holder->tid);
	}
	return futex.lock == LockKind::gil || futex.type ? fmt::format("waiting for {}", lock)
	                                                 : fmt::format("waiting for {} (futex 0x{:x})", lock, futex.address);
}

std::string describe(const TimerResource &timer, std::string_view /*call*/) {
	return timer.requested_ns ? fmt::format("sleeping ({} asked for)", format_rounded_duration(*timer.requested_ns)) : "sleeping";
}

std::string describe(const ProcessResource &process, std::string_view /*call*/) {
	if (!process.pid) {
		return "waiting for a child process";
	}
	return process.comm ? fmt::format("waiting for child process {} (pid {})", *process.comm, *process.pid)
	                    : fmt::format("waiting for child process {}", *process.pid);
}

std::string describe(const FdsResource &fds, std::string_view call) {
	std::string text = fmt::format("in {}() on several descriptors", call.empty() ? "poll" : call);
	for (const Resource &one : fds.fds) {
		if (const auto *socket = std::get_if<SocketResource>(&one.is)) {
			return text + ", " + end_of(*socket) + of_peer(socket->peer, "of") + " among them";
		}
	}
	return text;
}

std::string without_resource(const Wait &wait) {
	const std::string in = wait.syscall ? fmt::format(" in {}()", *wait.syscall) : std::string();
	switch (wait.cause) {
	case Cause::page_fault: return "waiting for memory to be loaded (page fault)";
	case Cause::stopped: return "stopped by a signal, a debugger or the freezer";
	case Cause::runqueue: return "ready to run, but given no CPU";
	case Cause::child: return "waiting for a child process" + in;
	default: return std::string(words_of(wait.cause)) + in;
	}
}

std::string where(const std::optional<SourceFrame> &culprit) {
	if (!culprit) {
		return {};
	}
	std::string text = " in " + culprit->function;
	if (!culprit->file.empty()) {
		text += culprit->line ? fmt::format(" ({}:{})", culprit->file, *culprit->line) : " (" + culprit->file + ")";
	}
	return text;
}

// Names come from the target: none of them may break the line or drive a terminal.
std::string one_line(std::string_view text) {
	std::string line;
	for (const char byte : text) {
		const auto code = static_cast<unsigned char>(byte);
		constexpr unsigned char space = 0x20, del = 0x7f;
		if (code < space || code == del) {
			line += fmt::format("\\x{:02x}", code);
		} else {
			line += byte;
		}
	}
	return line;
}

std::string of_gil(const Stall &stall) {
	return fmt::format("waiting {} of it for Python's GIL, {} times", format_duration(stall.gil->ns), stall.gil->count);
}

// A share of the stall worth a word although another cause has more.
bool gil_matters(const Stall &stall) {
	constexpr std::uint64_t quarter = 4;
	return stall.gil && stall.gil->ns * quarter >= stall.duration_ns;
}

// Who kept the loop waiting for the GIL, after the sentence's own cause and place.
std::string gil_end(const Stall &stall) {
	if (!gil_matters(stall)) {
		return {};
	}
	const std::string holder = gil_holder_words(stall);
	if (stall.cause != Cause::gil) {
		return ", " + of_gil(stall) + (holder.empty() ? holder : ", " + holder);
	}
	return holder.empty() ? holder : ", " + holder;
}

// Said where it is a good part of the stall.
std::string throttled(const Stall &stall) {
	constexpr std::uint64_t tenth = 10;
	if (!stall.throttled_ns || *stall.throttled_ns == 0 || *stall.throttled_ns * tenth < stall.duration_ns) {
		return {};
	}
	return fmt::format(" (its cgroup was throttled for {})", format_duration(*stall.throttled_ns));
}

// Who holds the lock that is waited for, and what that thread waits for in turn, down to the last link; empty when that is not
// known. The other threads were looked at while the stall ran: it is told only of a wait that went on then.
std::string held_up_by(const Stall &stall) {
	const Wait *wait = main_wait(stall);
	if (wait == nullptr || wait->cause != stall.cause || !wait->ongoing || !stall.threads) {
		return {};
	}
	ThreadView self;
	self.tid = stall.tid;
	self.thread = stall.thread;
	self.resource = wait->resource;
	self.stack = wait->stack;
	const auto links = WaitGraph(*stall.threads, &self).chain(stall.tid);
	// Whoever runs with the GIL lets go of it soon; who sleeps with it is to be told.
	if (stall.cause == Cause::gil && !links.empty() && links.back()->state != ThreadView::State::sleeping &&
	    links.back()->state != ThreadView::State::disk_sleep) {
		return {};
	}
	std::string chain = tell_chain(links);
	if (chain.empty() || !stall.deadlock) {
		return chain;
	}
	const auto is_dead = [&](std::uint32_t tid) {
		return std::find(stall.deadlock->begin(), stall.deadlock->end(), tid) != stall.deadlock->end();
	};
	if (is_dead(stall.tid)) {
		return fmt::format("deadlock: {} {}", name_words(self), chain);
	}
	const bool leads_there = std::any_of(links.begin(), links.end(), [&](const ThreadView *link) { return is_dead(link->tid); });
	return (leads_there ? "held up by a deadlock: " : "") + chain;
}

// It is the kernel that computes when most of the samples are in one system call.
std::string computing(const Stall &stall) {
	std::uint64_t all = 0;
	std::map<std::string_view, std::uint64_t> calls;
	for (const CpuPart &part : stall.cpu) {
		all += part.ns;
		if (const std::string_view call = system_call_of(part.stack.kernel); !call.empty()) {
			calls[call] += part.ns;
		}
	}
	const auto most = std::ranges::max_element(calls, {}, [](const auto &call) { return call.second; });
	return most != calls.end() && most->second * 2 > all ? fmt::format("computing in the kernel, in {}()", most->first)
	                                                     : "computing";
}

std::string what(const Stall &stall) {
	if (stall.cause == Cause::gil && stall.gil) {
		return of_gil(stall);
	}
	if (stall.cause == Cause::cpu) {
		return computing(stall);
	}
	if (stall.cause == Cause::runqueue) {
		return "ready to run, but given no CPU" + throttled(stall);
	}
	const Wait *wait = main_wait(stall);
	if (wait == nullptr || wait->cause != stall.cause) {
		return std::string(words_of(stall.cause));
	}
	std::string text = describe_wait(*wait);
	if (stall.pool) {
		text = pool_words(stall);
	} else if (const std::string_view pool = wait->stack ? pool_of(*wait->stack) : std::string_view(); !pool.empty()) {
		text = fmt::format("waiting for {} to get one back", pool);
	}
	// Counted by the account: short waits that left no record are in it.
	const std::uint64_t count = part_of(stall.breakdown, stall.cause).count;
	if (count > 1 && !is_database_wait(*wait)) { // how often it tried again tells nothing
		text += fmt::format(", {} times", count);
	}
	const std::string woken = woken_words(stall, *wait);
	return woken.empty() ? text : text + "," + woken + (stall.culprit ? ";" : "");
}

} // namespace

std::string describe_wait(const Wait &wait) {
	if (const auto *file = wait.resource ? std::get_if<FileResource>(&wait.resource->is) : nullptr;
	    file != nullptr && file->path && wait.cause == Cause::page_fault) {
		return fmt::format("waiting for a mapped part of {} to be loaded (page fault)", *file->path);
	}
	if (is_database_wait(wait)) {
		const auto &file = std::get<FileResource>(wait.resource->is);
		return fmt::format("waiting for the lock of SQLite database {}{}", *file.path, of_peer(file.holder, "held by"));
	}
	if (!wait.resource || wait.cause == Cause::stopped || wait.cause == Cause::page_fault) {
		return without_resource(wait);
	}
	return std::visit([&](const auto &resource) { return describe(resource, wait.syscall.value_or("")); }, wait.resource->is);
}

void tell_story(Stall &stall) {
	infer_holders(stall);
	stall.cause = dominant_cause(stall.breakdown);
	stall.culprit = find_culprit(stall);
	std::string summary = fmt::format("blocked {}{}: ", format_duration(stall.duration_ns), stall.ongoing ? " (still)" : "");
	summary += startup_words(stall);
	const std::string chain = held_up_by(stall);
	// "; in": the place is the loop's, not that of the last thread told of.
	const std::string peer = peer_words(stall);
	summary += chain.empty()
	               ? what(stall) + peer + (peer.empty() || !stall.culprit ? "" : ";") + where(stall.culprit) + gil_end(stall)
	               : chain + peer + (stall.culprit ? ";" : "") + where(stall.culprit);
	if (stall.cause != Cause::runqueue) {
		summary += throttled(stall);
	}
	stall.gc = garbage_collection(stall.cpu);
	summary += garbage_words(stall);
	if (stall.clients && (stall.ongoing || stall.goes_on)) {
		summary += "; " + format_clients(*stall.clients);
	}
	stall.summary = one_line(summary);
	stall.advice = advice_for(stall);
	if (!stall.advice) {
		stall.advice = garbage_advice(stall);
	}
}

} // namespace loopsnoop::analysis

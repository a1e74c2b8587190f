// SPDX-License-Identifier: Apache-2.0
#include "summary/wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <variant>

#include "analysis/database_wait.h"
#include "base/duration.h"
#include "summary/resource.h"

namespace loopsnoop::summary {

namespace {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
	return std::find(names.begin(), names.end(), name) != names.end();
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
	const std::string end = end_of(socket) + format_peer(" of ", socket.peer);
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
		return fmt::format("waiting for a lock on {}{}", path, format_peer(" held by ", file.holder));
	}
	if (path.starts_with("/dev/pts/")) {
		const bool writes = is_one_of(call, {"write", "writev"});
		return fmt::format("{} terminal {}{}", writes ? "writing to" : "reading from", path,
		                   file.peer ? (writes ? ", which is not read by " : ", whose other end is ") + format_peer("", file.peer)
		                             : "");
	}
	return call.empty() ? fmt::format("waiting for {}", path) : fmt::format("in {}() of {}", call, path);
}

std::string describe(const PipeResource &pipe, std::string_view call) {
	const std::string what = pipe.path ? "FIFO " + *pipe.path : "a pipe";
	if (is_one_of(call, {"write", "writev", "splice", "tee", "vmsplice"})) {
		return fmt::format("writing to {}{}, which is full", what, format_peer(" read by ", pipe.peer));
	}
	if (is_one_of(call, {"open", "openat", "openat2"})) {
		return fmt::format("opening {}, whose other end nobody has opened", what);
	}
	return fmt::format("reading from {}{}", what, format_peer(" written by ", pipe.peer));
}

std::string describe(const FutexResource &futex, std::string_view /*call*/) {
	const std::string lock = futex.lock == LockKind::pthread_mutex ? "a pthread mutex" : format_lock(futex);
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
	return process.comm ? fmt::format("waiting for child process {} (pid {})",
	                                  process.name.empty() ? *process.comm : process.name, *process.pid)
	                    : fmt::format("waiting for child process {}", *process.pid);
}

std::string describe(const FdsResource &fds, std::string_view call) {
	std::string text = fmt::format("in {}() on several descriptors", call.empty() ? "poll" : call);
	for (const Resource &one : fds.fds) {
		if (const auto *socket = std::get_if<SocketResource>(&one.is)) {
			return text + ", " + end_of(*socket) + format_peer(" of ", socket->peer) + " among them";
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

} // namespace

std::string format_wait(const Wait &wait) {
	if (const auto *file = wait.resource ? std::get_if<FileResource>(&wait.resource->is) : nullptr;
	    file != nullptr && file->path && wait.cause == Cause::page_fault) {
		return fmt::format("waiting for a mapped part of {} to be loaded (page fault)", *file->path);
	}
	if (analysis::is_database_wait(wait)) {
		const auto &file = std::get<FileResource>(wait.resource->is);
		return fmt::format("waiting for the lock of SQLite database {}{}", *file.path, format_peer(" held by ", file.holder));
	}
	if (!wait.resource || wait.cause == Cause::stopped || wait.cause == Cause::page_fault) {
		return without_resource(wait);
	}
	return std::visit([&](const auto &resource) { return describe(resource, wait.syscall.value_or("")); }, wait.resource->is);
}

} // namespace loopsnoop::summary

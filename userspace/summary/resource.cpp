// SPDX-License-Identifier: Apache-2.0
#include "summary/resource.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <variant>

#include "base/duration.h"
#include "base/escape.h"
#include "summary/number.h"

namespace loopsnoop::summary {

namespace {

constexpr std::size_t max_descriptors = 3; // named one by one

std::string format_descriptor(const std::optional<int> &fd) { return fd ? fmt::format("fd {}", *fd) : std::string{}; }

std::string format_lock_address(const FutexResource &futex) {
	if (futex.type == thread_end) {
		return "the end of a thread";
	}
	if (futex.type && futex.lock != LockKind::gil && futex.lock != LockKind::pthread_mutex) {
		return fmt::format("{} {:#x}", printable(*futex.type), futex.address);
	}
	switch (futex.lock) {
	case LockKind::gil: return "the GIL";
	case LockKind::pthread_mutex: return fmt::format("mutex {:#x}", futex.address);
	case LockKind::python_lock: return fmt::format("Python lock {:#x}", futex.address);
	case LockKind::unknown: break;
	}
	return fmt::format("lock {:#x}", futex.address);
}

std::uint64_t total_of(const FdsResource &several) { return std::max<std::uint64_t>(several.total, several.fds.size()); }

std::string called(const ProcessResource &process) { return process.name.empty() ? process.comm.value_or("") : process.name; }

struct FormatResource {
	std::string operator()(const FileResource &file) const {
		const std::string name = file.path ? printable(*file.path, shown_path_bytes)
		                         : file.fd ? format_descriptor(file.fd)
		                                   : "a file";
		return name + printable(format_peer(", locked by ", file.holder) + format_peer(", the other end of ", file.peer));
	}
	std::string operator()(const SocketResource &socket) const {
		std::string text = printable(socket.protocol);
		if (text.empty()) {
			text = "socket";
		}
		if (socket.path) {
			text += fmt::format(" socket {}", printable(*socket.path, shown_path_bytes));
		} else if (socket.remote) {
			text += ' ' + printable(*socket.remote);
		} else if (socket.local) {
			text += " socket at " + printable(*socket.local);
		} else {
			text += text == "socket" ? "" : " socket";
			text += socket.fd ? ' ' + format_descriptor(socket.fd) : "";
		}
		text += printable(format_peer(" of ", socket.peer));
		if (socket.state && *socket.state != "ESTABLISHED") {
			text += fmt::format(", {}", printable(*socket.state));
		}
		return text;
	}
	std::string operator()(const PipeResource &pipe) const {
		std::string text = pipe.path ? "FIFO " + printable(*pipe.path, shown_path_bytes) : "a pipe";
		if (!pipe.path && pipe.fd) {
			text = "pipe " + format_descriptor(pipe.fd);
		}
		return pipe.peer ? text + printable(format_peer(", ", pipe.peer)) + " at its other end" : text;
	}
	std::string operator()(const FutexResource &futex) const {
		std::string text = format_lock_address(futex);
		if (futex.holder && futex.type == thread_end) {
			return fmt::format("the end of {} (tid {})",
			                   futex.holder->thread.empty() ? "a thread" : printable(futex.holder->thread), futex.holder->tid);
		}
		if (futex.holder) {
			text += fmt::format(", {}held by {} (tid {})", futex.holder->inferred ? "probably " : "",
			                    futex.holder->thread.empty() ? "thread" : printable(futex.holder->thread), futex.holder->tid);
		}
		return text;
	}
	std::string operator()(const TimerResource &timer) const {
		return timer.requested_ns ? fmt::format("requested {}", format_rounded_duration(*timer.requested_ns)) : "a timer";
	}
	std::string operator()(const ProcessResource &process) const {
		if (!process.pid) {
			return "any child";
		}
		return process.comm ? fmt::format("child {} (pid {})", printable(called(process)), *process.pid)
		                    : fmt::format("child pid {}", *process.pid);
	}
	std::string operator()(const FdsResource &several) const {
		std::string text = plural(total_of(several), "descriptor");
		for (std::size_t i = 0; i < std::min(several.fds.size(), max_descriptors); i++) {
			text += (i == 0 ? ": " : "; ") + std::visit(*this, several.fds[i].is);
		}
		return total_of(several) > max_descriptors ? text + "; …" : text;
	}
};

struct FormatTarget {
	std::string operator()(const FileResource &file) const { return file.path.value_or(""); }
	std::string operator()(const SocketResource &socket) const {
		const std::string end = socket.remote ? *socket.remote : socket.path.value_or(socket.local.value_or(""));
		return end.empty() ? end : end + format_peer(" of ", socket.peer);
	}
	std::string operator()(const PipeResource &pipe) const {
		return pipe.path.value_or("a pipe") + format_peer(" to ", pipe.peer);
	}
	std::string operator()(const FutexResource &futex) const { return futex.lock == LockKind::gil ? "" : format_lock(futex); }
	std::string operator()(const TimerResource & /*timer*/) const { return {}; }
	std::string operator()(const ProcessResource &process) const { return called(process); }
	std::string operator()(const FdsResource &several) const { return fmt::format("{} descriptors", total_of(several)); }
};

} // namespace

const std::string &format_name(const Peer &peer) { return peer.name.empty() ? peer.comm : peer.name; }

std::string format_peer(std::string_view how, const std::optional<Peer> &peer) {
	return peer ? fmt::format("{}{} (pid {})", how, format_name(*peer), peer->pid) : std::string();
}

std::string format_thread(std::string_view name, std::uint32_t tid, std::string_view unnamed) {
	return fmt::format("{} (tid {})", name.empty() ? unnamed : name, tid);
}

std::string format_lock(const FutexResource &lock) {
	if (lock.type == thread_end) {
		return "the end of a thread";
	}
	// The kinds of mutexes differ in nothing that the one who waits would do about them.
	if (lock.type && lock.lock != LockKind::gil && lock.lock != LockKind::pthread_mutex) {
		const bool is_name = lock.type->starts_with("logging.");
		const bool is_only = lock.type->starts_with("import lock") || lock.type->starts_with("result of ");
		return (is_name   ? ""
		        : is_only ? "the "
		                  : "a ") +
		       *lock.type +
		       (lock.full ? fmt::format(" that is full ({} of {})", thousands(lock.full->items), thousands(lock.full->max)) : "");
	}
	switch (lock.lock) {
	case LockKind::gil: return "Python's GIL";
	case LockKind::pthread_mutex: return "a mutex";
	case LockKind::python_lock: return "a Python lock";
	case LockKind::unknown: break;
	}
	return "a lock";
}

std::string format_resource(const Resource &resource) { return std::visit(FormatResource{}, resource.is); }

std::string format_target(const Resource &resource) { return std::visit(FormatTarget{}, resource.is); }

std::string format_other_end(const SocketResource &socket) {
	if (socket.remote) {
		return socket.peer ? fmt::format("{} ({}, pid {})", *socket.remote, format_name(*socket.peer), socket.peer->pid)
		                   : *socket.remote;
	}
	return socket.path && !socket.path->empty() ? *socket.path : socket.protocol;
}

std::string format_call(const std::optional<std::string> &syscall, const std::optional<Resource> &resource) {
	std::string text = syscall ? printable(*syscall) + "()" : std::string{};
	if (!resource) {
		return text;
	}
	if (!text.empty()) {
		const bool child = std::holds_alternative<ProcessResource>(resource->is);
		const bool timer = std::holds_alternative<TimerResource>(resource->is);
		text += child ? " for " : timer ? ", " : " on ";
	}
	return text + format_resource(*resource);
}

} // namespace loopsnoop::summary

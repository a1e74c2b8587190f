// SPDX-License-Identifier: Apache-2.0
#include "output/json_read_parts.h"

#include <utility>

namespace loopsnoop::output {

std::optional<Cause> get_cause(const Fields &from) {
	std::optional<std::string> name;
	from.get("cause", name);
	if (!name) {
		return std::nullopt;
	}
	return cause_named(*name).value_or(Cause::other);
}

void read(const Fields &from, Peer &peer) {
	from.get("pid", peer.pid);
	from.get("comm", peer.comm);
}

void read(const Fields &from, SourceFrame &frame) {
	from.get("function", frame.function);
	from.get("file", frame.file);
	from.get("line", frame.line);
}

static void read(const Fields &from, NativeFrame &frame) {
	from.get("function", frame.function);
	from.get("module", frame.module);
	from.get_hexadecimal("offset", frame.offset);
	from.get("file", frame.file);
	from.get("line", frame.line);
}

static void read(const Fields &from, KernelFrame &frame) {
	from.get("function", frame.function);
	from.get_hexadecimal("offset", frame.offset);
}

void read(const Fields &from, Stack &stack) {
	read_list(from, "python", stack.python);
	read_list(from, "javascript", stack.javascript);
	read_list(from, "native", stack.native);
	read_list(from, "kernel", stack.kernel);
	from.get("native_truncated", stack.native_truncated);
}

void read(const Fields &from, Holder &holder) {
	from.get("tid", holder.tid);
	from.get("thread", holder.thread);
	std::string how;
	from.get("how", how);
	holder.inferred = how != "owner field"; // what is not known to be read is a guess
}

void read(const Fields &from, FileResource &file) {
	from.get("fd", file.fd);
	from.get("path", file.path);
	read_object(from, "holder", file.holder);
}

void read(const Fields &from, SocketResource &socket) {
	from.get("fd", socket.fd);
	from.get("protocol", socket.protocol);
	from.get("local", socket.local);
	from.get("remote", socket.remote);
	from.get("path", socket.path);
	from.get("state", socket.state);
	read_object(from, "peer", socket.peer);
}

void read(const Fields &from, PipeResource &pipe) {
	from.get("fd", pipe.fd);
	from.get("path", pipe.path);
	read_object(from, "peer", pipe.peer);
}

void read(const Fields &from, FutexResource &futex) {
	from.get_hexadecimal("address", futex.address);
	get_name(from, "lock", {LockKind::gil, LockKind::pthread_mutex, LockKind::python_lock}, futex.lock);
	read_object(from, "holder", futex.holder);
	from.get("type", futex.type);
}

std::optional<Resource> read_resource(const Fields &from);

void read(const Fields &from, FdsResource &several) {
	from.list("fds", [&](const Fields &one) {
		if (std::optional<Resource> resource = read_resource(one)) {
			several.fds.push_back(std::move(*resource));
		}
	});
}

template <typename T> Resource resource_of(const Fields &from) {
	T value;
	read(from, value);
	return Resource{std::move(value)};
}

// nullopt: of a kind that is not known.
std::optional<Resource> read_resource(const Fields &from) {
	std::string kind;
	from.need("kind", kind);
	if (kind == "file") {
		return resource_of<FileResource>(from);
	}
	if (kind == "socket") {
		return resource_of<SocketResource>(from);
	}
	if (kind == "pipe") {
		return resource_of<PipeResource>(from);
	}
	if (kind == "futex") {
		return resource_of<FutexResource>(from);
	}
	if (kind == "timer") {
		TimerResource timer;
		from.get("requested_ns", timer.requested_ns);
		return Resource{timer};
	}
	if (kind == "process") {
		ProcessResource process;
		from.get("pid", process.pid);
		from.get("comm", process.comm);
		return Resource{std::move(process)};
	}
	if (kind == "fds") {
		return resource_of<FdsResource>(from);
	}
	return std::nullopt;
}

void get_resource(const Fields &from, std::optional<Resource> &out) {
	from.object("resource", [&](const Fields &resource) { out = read_resource(resource); });
}

void read(const Fields &from, Waker &waker) {
	from.get("pid", waker.pid);
	from.get("tid", waker.tid);
	from.get("comm", waker.comm);
	from.get("thread", waker.thread);
	std::string context;
	from.get("context", context);
	waker.interrupt = context == "interrupt";
	read_object(from, "stack", waker.stack);
}

void read(const Fields &from, Wait &wait) {
	wait.cause = get_cause(from).value_or(Cause::other);
	from.get("syscall", wait.syscall);
	from.get("start_ns", wait.start_ns);
	from.get("duration_ns", wait.duration_ns);
	from.get("run_delay_ns", wait.run_delay_ns);
	from.get("count", wait.count);
	from.get("ongoing", wait.ongoing);
	get_resource(from, wait.resource);
	read_object(from, "stack", wait.stack);
	std::string stack_from;
	from.get("stack_from", stack_from);
	if (stack_from == "captured") {
		wait.stack_from = StackFrom::captured;
	} else if (stack_from == "live") {
		wait.stack_from = StackFrom::live;
	}
	read_object(from, "waker", wait.waker);
}

void read(const Fields &from, CpuPart &part) {
	from.get("samples", part.samples);
	from.get("ns", part.ns);
	from.object("stack", [&](const Fields &stack) { read(stack, part.stack); });
}

void read(const Fields &from, GilHolding &holder) {
	from.get("tid", holder.tid);
	from.get("thread", holder.thread);
	from.get("samples", holder.samples);
	from.get("ns", holder.ns);
	from.object("stack", [&](const Fields &stack) { read(stack, holder.stack); });
}

void read(const Fields &from, GilStory &gil) {
	from.get("ns", gil.ns);
	from.get("count", gil.count);
	read_list(from, "holders", gil.holders);
}

void read(const Fields &from, ThreadView &thread) {
	using State = ThreadView::State;
	from.get("tid", thread.tid);
	from.get("thread", thread.thread);
	get_name(from, "state", {State::running, State::runnable, State::sleeping, State::disk_sleep, State::stopped}, thread.state);
	from.get("waited_ns", thread.waited_ns);
	thread.cause = get_cause(from);
	from.get("syscall", thread.syscall);
	get_resource(from, thread.resource);
	from.get("holds_gil", thread.holds_gil);
	read_object(from, "stack", thread.stack);
	from.get("moved", thread.moved);
}

void read(const Fields &from, Breakdown &breakdown) {
	if (!from.json().is_object()) {
		return;
	}
	for (const auto &[name, value] : from.json().items()) {
		CausePart part;
		from.object(name.c_str(), [&](const Fields &fields) {
			fields.get("ns", part.ns);
			fields.get("count", part.count);
		});
		CausePart &sum = part_of(breakdown, cause_named(name).value_or(Cause::other));
		sum.ns += part.ns;
		sum.count += part.count;
	}
}

} // namespace loopsnoop::output

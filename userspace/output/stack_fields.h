// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <variant>

#include "model/resource.h"
#include "model/stack.h"
#include "output/record_traits.h"

// Fields of stacks and of resources; see record_fields.h.
namespace loopsnoop::output {

template <typename Visitor, Is<SourceFrame> T> void fields(Visitor &v, T &frame) {
	// What could not be read of a frame is null, like everywhere.
	v.or_null_if(frame.function.empty() || frame.function == "?", "function", frame.function);
	v.or_null_if(frame.file.empty() || frame.file == "?", "file", frame.file);
	v.field("line", frame.line);
}

template <typename Visitor, Is<NativeFrame> T> void fields(Visitor &v, T &frame) {
	v.field("function", frame.function);
	v.field("module", frame.module);
	v.hexadecimal("offset", frame.offset);
	v.field("file", frame.file);
	v.field("line", frame.line);
}

template <typename Visitor, Is<KernelFrame> T> void fields(Visitor &v, T &frame) {
	v.field("function", frame.function);
	v.hexadecimal("offset", frame.offset);
}

template <typename Visitor, Is<Stack> T> void fields(Visitor &v, T &stack) {
	v.optional("python", stack.python);
	v.optional("javascript", stack.javascript);
	v.optional("native", stack.native);
	v.optional("kernel", stack.kernel);
	v.optional("native_truncated", stack.native_truncated);
}

template <typename Visitor, Is<Peer> T> void fields(Visitor &v, T &peer) {
	v.field("pid", peer.pid);
	v.field("comm", peer.comm);
	v.optional("name", peer.name);
}

template <typename Visitor, Is<Holder> T> void fields(Visitor &v, T &holder) {
	v.field("tid", holder.tid);
	v.field("thread", holder.thread);
	v.either("how", holder.inferred, "inferred", "owner field", Unknown::is_true); // what is not known to be read is a guess
}

template <typename Visitor, Is<FileResource> T> void fields(Visitor &v, T &file) {
	v.field("fd", file.fd);
	v.field("path", file.path);
	v.optional("holder", file.holder);
	v.optional("peer", file.peer);
}

template <typename Visitor, Is<SocketResource> T> void fields(Visitor &v, T &socket) {
	v.field("fd", socket.fd);
	v.field("protocol", socket.protocol);
	const bool is_unix = socket.protocol == "unix";
	v.field_if(is_unix || socket.path, "path", socket.path);
	const bool has_addresses = !is_unix || socket.local || socket.remote;
	v.field_if(has_addresses, "local", socket.local);
	v.field_if(has_addresses, "remote", socket.remote);
	v.field("state", socket.state);
	v.field("peer", socket.peer);
}

template <typename Visitor, Is<PipeResource> T> void fields(Visitor &v, T &pipe) {
	v.field("fd", pipe.fd);
	v.field("path", pipe.path);
	v.field("peer", pipe.peer);
}

template <typename Visitor, Is<QueueFill> T> void fields(Visitor &v, T &queue) {
	v.field("items", queue.items);
	v.field("max", queue.max);
}

template <typename Visitor, Is<FutexResource> T> void fields(Visitor &v, T &futex) {
	v.hexadecimal("address", futex.address);
	v.field("lock", futex.lock);
	v.field("holder", futex.holder);
	v.optional("type", futex.type);
	v.optional("full", futex.full);
}

template <typename Visitor, Is<TimerResource> T> void fields(Visitor &v, T &timer) {
	v.field("requested_ns", timer.requested_ns);
}

template <typename Visitor, Is<ProcessResource> T> void fields(Visitor &v, T &process) {
	v.field("pid", process.pid);
	v.field("comm", process.comm);
	v.optional("name", process.name);
}

template <typename Visitor, Is<FdsResource> T> void fields(Visitor &v, T &several) {
	v.field("fds", several.fds);
	v.optional("total", several.total);
}

template <typename Visitor, Is<Resource> T> void fields(Visitor &v, T &resource) {
	if (v.kind("kind", resource.is)) {
		std::visit([&](auto &one) { fields(v, one); }, resource.is);
	}
}

} // namespace loopsnoop::output

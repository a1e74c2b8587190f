// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/standstill.h"
#include "output/record_traits.h"
#include "output/stall_fields.h"
#include "output/task_fields.h"

// Fields of a standstill and of its parts; see record_fields.h.
namespace loopsnoop::output {

template <typename Visitor, Is<ReadyQueue> T> void fields(Visitor &v, T &ready) {
	v.field("count", ready.count);
	v.field("callbacks", ready.callbacks);
	v.optional("timer_overdue_ns", ready.timer_overdue_ns);
}

template <typename Visitor, Is<TaskGroup> T> void fields(Visitor &v, T &group) {
	v.field("count", group.count);
	v.field("names", group.names);
	v.field("waited_ns", group.waited_ns);
	v.field("waits_for", group.waits_for);
	v.object_or_null("stack", !group.stack.empty(), [&](auto &stack) { stack.field("python", group.stack); });
	v.field("culprit", group.culprit);
}

template <typename Visitor, Is<SilentUpstream> T> void fields(Visitor &v, T &upstream) {
	v.field("local", upstream.local);
	v.field("remote", upstream.remote);
	v.field("peer", upstream.peer);
	v.field("waited_ns", upstream.waited_ns);
	v.optional("connecting", upstream.connecting);
}

template <typename Visitor, Is<Spin> T> void fields(Visitor &v, T &spin) {
	v.field("iterations_per_s", spin.iterations_per_s);
	v.field("resource", spin.resource);
}

template <typename Visitor, Is<Standstill> T> void fields(Visitor &v, T &standstill) {
	v.required("id", standstill.id);
	v.either("phase", standstill.ongoing, "ongoing", "ended", Unknown::is_error);
	v.required("start_ns", standstill.start_ns);
	v.field("started_at", standstill.started_at);
	v.required("duration_ns", standstill.duration_ns);
	v.field("truncated", standstill.truncated);
	v.required("pid", standstill.pid);
	v.required("tid", standstill.tid);
	v.field("comm", standstill.comm);
	v.field("thread", standstill.thread);
	v.optional("command", standstill.name.command);
	v.optional("service", standstill.name.service);
	v.field("kind", standstill.kind);
	v.field("certain", standstill.certain);
	v.field("culprit", standstill.culprit);
	v.field("summary", standstill.summary);
	v.optional("advice", standstill.advice);
	v.optional("goes_on", standstill.goes_on);
	v.field("clients", standstill.clients);
	v.field("upstream", standstill.upstream);
	v.optional("ready", standstill.ready);
	v.field("tasks", standstill.tasks);
	v.optional_hexadecimal("deadlock", standstill.deadlock);
	v.optional("spin", standstill.spin);
	v.optional("threads", standstill.threads);
	v.optional("left_out", standstill.left_out);
}

} // namespace loopsnoop::output

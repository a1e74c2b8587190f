// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tasks.h"
#include "output/record_traits.h"
#include "output/stack_fields.h"
#include "output/task_fields.h"

// Fields of the record `tasks`; see record_fields.h for what a list of fields is.
namespace loopsnoop::output {

template <typename Visitor, Is<Task> T> void fields(Visitor &v, T &task) {
	v.hexadecimal("id", task.id);
	v.field("name", task.name);
	v.or_null("coroutine", task.coroutine);
	v.field("state", task.state);
	v.object_or_null("stack", !task.stack.empty(), [&](auto &stack) { stack.field("python", task.stack); });
	v.field("culprit", task.culprit);
	v.field("waits_for", task.waits_for);
	v.hexadecimal("awaited_by", task.awaited_by);
	v.optional("changed", task.changed);
}

template <typename Visitor, Is<TaskLoop> T> void fields(Visitor &v, T &loop) {
	v.or_null("tid", loop.tid);
	v.field("framework", loop.framework);
	v.or_null("type", loop.type);
	v.hexadecimal("running", loop.running);
	v.field("ready", loop.ready);
	v.field("callbacks", loop.callbacks);
	v.field("timers", loop.timers);
	v.field("next_timer_in_ns", loop.next_timer_in_ns);
	v.field("tasks", loop.tasks);
}

// Beyond the contract, all additive: `schema` `start_ns` `overtaken` `left_out` `notes`; of a loop `type` `callbacks` `timers`
// `next_timer_in_ns`; of a task `coroutine`, and `changed`, only when true.
template <typename Visitor, Is<TaskSnapshot> T> void fields(Visitor &v, T &snapshot) {
	v.constant("schema", schema_version);
	v.field("pid", snapshot.pid);
	v.field("comm", snapshot.comm);
	v.optional("command", snapshot.name.command);
	v.optional("service", snapshot.name.service);
	v.field("start_ns", snapshot.start_ns);
	v.field("started_at", snapshot.started_at);
	v.field("look_ns", snapshot.look_ns);
	v.field("overtaken", snapshot.overtaken);
	v.field("left_out", snapshot.left_out);
	v.field("notes", snapshot.notes);
	v.field("loops", snapshot.loops);
}

} // namespace loopsnoop::output

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "model/tasks.h"
#include "output/record_traits.h"
#include "output/stack_fields.h"

// Fields of what tasks wait for; see record_fields.h.
namespace loopsnoop::output {

template <typename Visitor, Is<TaskHolder> T> void fields(Visitor &v, T &holder) {
	v.hexadecimal("task", holder.task);
	v.field("name", holder.name);
	v.field("culprit", holder.culprit);
	v.constant("how", "inferred");
}

template <typename Visitor, Is<WorkersAt> T> void fields(Visitor &v, T &at) {
	v.field("count", at.count);
	v.field("culprit", at.culprit);
	v.field("tids", at.tids);
}

template <typename Visitor, Is<Executor> T> void fields(Visitor &v, T &executor) {
	v.field("size", executor.size);
	v.field("busy", executor.busy);
	v.field("queued", executor.queued);
	v.field("places", executor.places);
}

template <typename Visitor, Is<WaitsFor> T> void fields(Visitor &v, T &what) {
	v.field("kind", what.kind);
	v.optional_hexadecimal("address", what.address);
	v.optional("type", what.type);
	v.optional("waiters", what.waiters);
	v.optional("ends_in_ns", what.ends_in_ns);
	v.optional("resource", what.resource);
	v.optional("tid", what.tid);
	v.optional("thread", what.thread);
	v.optional("thread_stack", what.thread_stack);
	v.optional("queued", what.queued);
	v.optional("executor", what.executor);
	v.optional_hexadecimal("tasks", what.tasks);
	v.optional("holders", what.holders);
}

template <typename Visitor, Is<ReadyCallback> T> void fields(Visitor &v, T &one) {
	if constexpr (Visitor::reading) {
		SourceFrame frame;
		fields(v, frame);
		if (!frame.function.empty() || !frame.file.empty()) {
			one.callback = std::move(frame);
		}
	} else {
		const SourceFrame none;
		fields(v, one.callback ? *one.callback : none);
	}
	v.hexadecimal("task", one.task);
}

} // namespace loopsnoop::output

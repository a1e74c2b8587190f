// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/session.h"
#include "output/record_traits.h"
#include "output/stall_fields.h"
#include "output/standstill_fields.h"
#include "output/tasks_fields.h"

// What a record holds in JSON, each field once and in its order: `fields(visitor, value)` serves JsonWriter, which gets const
// values, and JsonReader, which fills them. The schema (output/record.schema.json) has the same fields, which a test holds it to.
//
// A new record: add its struct to `Record` (model/session.h), its word to `record_type` (record_traits.h) and here, or in a
// header beside this one, the list of its fields and of each of its parts; then its object in the schema, and an example in
// tests/unit/output/examples.cpp. A new enum needs `name_of` and a line in `all_values`, a new variant a `kind_name` for each
// kind.
//
// Text, numbers, bool, enums (by name), std::optional and std::vector of all these, and any struct with such a list of its own,
// can be the value of
//   field(name, value)              always there; null when it is an optional that is not set, or an enum named ""
//   required(name, value)           likewise; a reader complains when it is missing
//   optional(name, value)           left out when unset, empty, false or 0
//   field_if(present, name, value)  left out unless present
//   or_null(name, value)            null when empty, false or 0
//   or_null_if(null, name, value)
// and then there are
//   hexadecimal(name, number)       "0x46", of a 64-bit number, an optional or a vector of those
//   optional_hexadecimal(name, number)  likewise; left out when 0, unset or empty
//   constant(name, value)           a value that is always the same; a reader passes over it
//   either(name, flag, if_true, if_false, unknown)  a flag written as one of two words
//   kind(name, variant)             the word of the alternative; false: a reader does not know it, and drops the object
//   object_or_null(name, present, members)  an object whose fields members(visitor) lists, of values that lie elsewhere
// `Visitor::reading` says which of the two it is where nothing of this fits.
namespace loopsnoop::output {

template <typename Visitor, Is<NotFollowed> T> void fields(Visitor &v, T &one) {
	v.field("parent", one.parent);
	v.field("comm", one.comm);
	v.field("children", one.children);
	v.optional("service", one.service);
}

template <typename Visitor, Is<SessionStart> T> void fields(Visitor &v, T &session) {
	v.constant("schema", schema_version);
	v.field("version", session.version);
	v.field("started_at", session.started_at);
	v.required("start_ns", session.start_ns);
	v.field("host", session.host);
	v.field("kernel", session.kernel);
	v.field("threshold_ns", session.threshold_ns);
	v.field("argv", session.argv);
	v.field("missing", session.missing);
	v.optional("discovery", session.discovery);
	v.optional("not_followed", session.not_followed);
	v.optional("workers", session.workers);
}

template <typename Visitor, Is<Runtime> T> void fields(Visitor &v, T &runtime) {
	v.field("name", runtime.kind);
	v.field("version", runtime.version);
	v.optional("language", runtime.language);
}

template <typename Visitor, Is<OwnPoll> T> void fields(Visitor &v, T &poll) {
	v.field("syscall", poll.syscall);
	v.field("fd", poll.fd);
}

template <typename Visitor, Is<LoopFound> T> void fields(Visitor &v, T &loop) {
	v.required("pid", loop.pid);
	v.required("tid", loop.tid);
	v.field("comm", loop.comm);
	v.field("thread", loop.thread);
	v.optional("command", loop.name.command);
	v.optional("service", loop.name.service);
	v.field("start_ns", loop.start_ns);
	v.field("runtime", loop.runtime);
	v.field("poll", loop.poll);
	v.optional("container", loop.placement.container);
	v.optional("unit", loop.placement.unit);
}

template <typename Visitor, Is<LoopInShort> T> void fields(Visitor &v, T &loop) {
	v.or_null("tid", loop.tid);
	v.field("framework", loop.framework);
	v.or_null("type", loop.type);
	v.field("running", loop.running);
	v.field("ready", loop.ready);
	v.field("tasks", loop.tasks);
	v.field("groups", loop.groups);
}

template <typename Visitor, Is<Dump> T> void fields(Visitor &v, T &dump) {
	v.constant("schema", schema_version);
	v.required("pid", dump.pid);
	v.field("comm", dump.comm);
	v.optional("command", dump.name.command);
	v.optional("service", dump.name.service);
	v.field("start_ns", dump.start_ns);
	v.field("started_at", dump.started_at);
	v.field("look_ns", dump.look_ns);
	v.field("threads", dump.threads);
	v.optional("deadlock", dump.deadlock);
	v.optional("loops", dump.loops);
	v.optional("left_out", dump.left_out);
}

template <typename Visitor, Is<ProcessExit> T> void fields(Visitor &v, T &exit) {
	v.required("pid", exit.pid);
	v.field("start_ns", exit.start_ns);
	v.field("status", exit.status);
	v.field("signal", exit.signal);
}

template <typename Visitor, Is<ProcessExec> T> void fields(Visitor &v, T &exec) {
	v.required("pid", exec.pid);
	v.field("start_ns", exec.start_ns);
	v.field("comm", exec.comm);
}

template <typename Visitor, Is<ProcessFork> T> void fields(Visitor &v, T &fork) {
	v.required("pid", fork.pid);
	v.field("start_ns", fork.start_ns);
	v.required("child", fork.child);
}

template <typename Visitor, Is<LoopTotals> T> void fields(Visitor &v, T &loop) {
	v.required("pid", loop.pid);
	v.required("tid", loop.tid);
	v.field("iterations", loop.iterations);
	v.field("busy_ns", loop.busy_ns);
	v.field("idle_ns", loop.idle_ns);
	v.field("stalls", loop.stalls);
	v.field("stalled_ns", loop.stalled_ns);
	v.field("longest_ns", loop.longest_ns);
	v.field("by_cause", loop.by_cause);
}

template <typename Visitor, Is<LineTotals> T> void fields(Visitor &v, T &line) {
	v.or_null("function", line.line.function);
	v.or_null("file", line.line.file);
	v.field("line", line.line.line);
	v.field("cause", line.cause);
	v.or_null("on", line.on);
	v.field("stalls", line.stalls);
	v.field("count", line.count);
	v.field("ns", line.ns);
	v.field("longest_ns", line.longest_ns);
}

template <typename Visitor, Is<ProcessLife::EndedBy> T> void fields(Visitor &v, T &by) {
	v.field("signal", by.signal);
	v.field("pid", by.pid);
	v.or_null("comm", by.comm);
}

template <typename Visitor, Is<ProcessLife::Write> T> void fields(Visitor &v, T &write) {
	v.field("path", write.path);
	v.field("time_ns", write.time_ns);
}

template <typename Visitor, Is<ProcessLife> T> void fields(Visitor &v, T &life) {
	v.field("pid", life.pid);
	v.field("parent", life.parent);
	v.or_null("comm", life.comm);
	v.or_null("command", life.command);
	v.field("start_ns", life.start_ns);
	v.field("lived_ns", life.lived_ns);
	v.field("ended", life.ended);
	v.field("status", life.status);
	v.field("signal", life.signal);
	v.field("loop", life.came_to_loop);
	v.field("accepted", life.accepted);
	v.field("ended_by", life.ended_by);
	v.or_null("doing", life.doing);
	v.field("culprit", life.culprit);
	v.field("writes", life.writes);
}

template <typename Visitor, Is<Restarts> T> void fields(Visitor &v, T &restarts) {
	v.field("parent", restarts.parent);
	v.or_null("comm", restarts.parent_comm);
	v.field("workers", restarts.workers);
	v.or_null_if(!restarts.accepts_known, "served", restarts.served);
	v.field("loops", restarts.came_to_loop);
	v.field("shortest_ns", restarts.shortest_ns);
	v.field("longest_ns", restarts.longest_ns);
	v.object_or_null("ended_by", restarts.ended_by.has_value(), [&](auto &inner) {
		if constexpr (Visitor::reading) {
			restarts.ended_by.emplace();
		}
		fields(inner, *restarts.ended_by);
		inner.field("count", restarts.ended_by_count);
	});
	v.or_null("doing", restarts.doing);
	v.field("culprit", restarts.culprit);
	v.object_or_null("file", !restarts.file.empty(), [&](auto &file) {
		file.field("path", restarts.file);
		file.field("count", restarts.file_count);
		file.field("by_worker", restarts.file_by_worker);
		file.field("before_ns", restarts.file_before_ns);
	});
	if constexpr (Visitor::reading) {
		restarts.accepts_known = v.has("served");
		restarts.doing_count = restarts.workers.size();
	}
}

template <typename Visitor, Is<WaitedFor> T> void fields(Visitor &v, T &one) {
	v.field("pid", one.pid);
	v.field("comm", one.comm);
	v.field("clients", one.clients);
	v.field("tasks", one.tasks);
	v.optional("service", one.service);
	v.field_if(!one.has_tasks, "has_tasks", one.has_tasks);
}

template <typename Visitor, Is<RemoteCount> T> void fields(Visitor &v, T &one) {
	v.field("remote", one.remote);
	v.field("count", one.count);
}

template <typename Visitor, Is<TaskPlace> T> void fields(Visitor &v, T &place) {
	v.or_null("function", place.line.function);
	v.or_null("file", place.line.file);
	v.field("line", place.line.line);
	v.field("count", place.count);
}

template <typename Visitor, Is<ProcessGauges> T> void fields(Visitor &v, T &gauges) {
	v.field("time_ns", gauges.time_ns);
	v.field("unanswered", gauges.unanswered);
	v.field("connections_in", gauges.inbound);
	v.field("connections_out", gauges.outbound);
	v.field("connections_to", gauges.outbound_to);
	v.optional("connections_from", gauges.inbound_from);
	v.field("tasks", gauges.tasks);
	v.field("places", gauges.places);
	v.field("resident_bytes", gauges.resident_bytes);
	v.field("open_fds", gauges.descriptors);
	v.field("threads", gauges.threads);
}

template <typename Visitor, Is<GaugesChange> T> void fields(Visitor &v, T &change) {
	v.field("pid", change.last.pid);
	v.field("tid", change.last.tid);
	v.field("comm", change.comm);
	v.field("first", change.first);
	v.field("last", change.last);
	v.optional("service", change.service);
}

// By the losses' names, zeros included.
template <typename Visitor, Is<LossCounts> T> void fields(Visitor &v, T &lost) {
	for (std::size_t i = 0; i < loss_count; i++) {
		v.field(loss_texts.at(i).name, lost.at(i));
	}
}

template <typename Visitor, Is<SessionSummary> T> void fields(Visitor &v, T &summary) {
	v.required("duration_ns", summary.duration_ns);
	v.field("loops", summary.loops);
	v.field("lines", summary.lines);
	v.field_if(!summary.processes.empty(), "processes", summary.processes);
	v.field_if(!summary.processes.empty(), "restarts", summary.restarts);
	v.optional("loops_left_out", summary.loops_left_out);
	v.optional("standstills", summary.standstills);
	v.optional("waited_for", summary.waited_for);
	v.optional("grown", summary.grown);
	v.optional("unanswered", summary.unanswered);
	v.field("lost", summary.lost);
}

} // namespace loopsnoop::output

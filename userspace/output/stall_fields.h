// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "model/stall.h"
#include "output/record_traits.h"
#include "output/stack_fields.h"

// Fields of a stall and of its parts; see record_fields.h.
namespace loopsnoop::output {

template <typename Visitor, Is<CausePart> T> void fields(Visitor &v, T &part) {
	v.field("ns", part.ns);
	v.field("count", part.count);
}

// By the causes' names, without those that did not occur. What newer versions call a cause of its own adds up in `other`.
template <typename Visitor, Is<Breakdown> T> void fields(Visitor &v, T &breakdown) {
	if constexpr (Visitor::reading) {
		v.each([&](const std::string &name, auto &one) {
			CausePart part;
			fields(one, part);
			CausePart &sum = part_of(breakdown, cause_named(name).value_or(Cause::other));
			sum.ns += part.ns;
			sum.count += part.count;
		});
	} else {
		for (std::size_t i = 0; i < cause_count; i++) {
			const CausePart &part = breakdown.at(i);
			v.field_if(part.ns != 0 || part.count != 0, cause_texts.at(i).name, part);
		}
	}
}

template <typename Visitor, Is<Waker> T> void fields(Visitor &v, T &waker) {
	// An interrupt wakes on behalf of nobody.
	v.or_null_if(waker.interrupt, "pid", waker.pid);
	v.or_null_if(waker.interrupt, "tid", waker.tid);
	v.or_null_if(waker.interrupt, "comm", waker.comm);
	v.or_null_if(waker.interrupt, "thread", waker.thread);
	v.either("context", waker.interrupt, "interrupt", "thread", Unknown::is_false);
	v.field("stack", waker.stack);
}

template <typename Visitor, Is<Wait> T> void fields(Visitor &v, T &wait) {
	v.field("cause", wait.cause);
	v.field("syscall", wait.syscall);
	v.field("start_ns", wait.start_ns);
	v.field("duration_ns", wait.duration_ns);
	v.field("run_delay_ns", wait.run_delay_ns);
	v.field("count", wait.count);
	v.field("ongoing", wait.ongoing);
	v.field("resource", wait.resource);
	v.field("stack", wait.stack);
	v.field("stack_from", wait.stack_from);
	v.field("waker", wait.waker);
}

template <typename Visitor, Is<CpuPart> T> void fields(Visitor &v, T &part) {
	v.field("samples", part.samples);
	v.field("ns", part.ns);
	v.field("stack", part.stack);
}

template <typename Visitor, Is<GilHolding> T> void fields(Visitor &v, T &holder) {
	v.field("tid", holder.tid);
	v.field("thread", holder.thread);
	v.field("samples", holder.samples);
	v.field("ns", holder.ns);
	v.constant("how", "inferred");
	v.or_null("stack", holder.stack);
}

template <typename Visitor, Is<GilStory> T> void fields(Visitor &v, T &gil) {
	v.field("ns", gil.ns);
	v.field("count", gil.count);
	v.field("holders", gil.holders);
}

template <typename Visitor, Is<ThreadView> T> void fields(Visitor &v, T &thread) {
	v.field("tid", thread.tid);
	v.field("thread", thread.thread);
	v.field("state", thread.state);
	v.field("waited_ns", thread.waited_ns);
	v.field("cause", thread.cause);
	v.field("syscall", thread.syscall);
	v.field("resource", thread.resource);
	v.field("holds_gil", thread.holds_gil);
	v.field("stack", thread.stack);
	v.optional("sampled", thread.sampled);
	v.optional("no_stack", thread.no_stack);
	v.optional("moved", thread.moved);
}

template <typename Visitor, Is<LeftOut> T> void fields(Visitor &v, T &left_out) {
	v.field("threads", left_out.threads);
	v.field("waits", left_out.waits);
	v.field("frames", left_out.frames);
	v.field("texts", left_out.texts);
}

template <typename Visitor, Is<Listener> T> void fields(Visitor &v, T &listener) {
	v.field("address", listener.address);
	v.field("waiting", listener.waiting);
}

template <typename Visitor, Is<Startup> T> void fields(Visitor &v, T &startup) {
	v.field("listening", startup.listening);
	v.field("process_age_ns", startup.process_age_ns);
}

template <typename Visitor, Is<PoolWait> T> void fields(Visitor &v, T &pool) {
	v.field("name", pool.pool);
	v.field("users", pool.users);
	v.field("waiters", pool.waiters);
	v.constant("how", "inferred");
}

template <typename Visitor, Is<PeerSnapshot> T> void fields(Visitor &v, T &peer) {
	v.field("pid", peer.pid);
	v.field("comm", peer.comm);
	v.field("waits_for_us", peer.waits_for_us);
	v.field("thread", peer.thread);
	v.optional("name", peer.name);
	v.optional("title", peer.title);
	v.optional("child", peer.child);
}

template <typename Visitor, Is<CgroupLimit> T> void fields(Visitor &v, T &limit) {
	v.field("path", limit.path);
	v.optional("cpu_quota_ns", limit.cpu_quota_ns);
	v.optional("cpu_period_ns", limit.cpu_period_ns);
	v.optional("memory_bytes", limit.memory_bytes);
}

template <typename Visitor, Is<StallTask> T> void fields(Visitor &v, T &task) {
	v.hexadecimal("id", task.id);
	v.field("name", task.name);
	v.or_null("coroutine", task.coroutine);
}

template <typename Visitor, Is<GcPart> T> void fields(Visitor &v, T &gc) {
	v.field("ns", gc.ns);
	v.field("generation", gc.generation);
	v.optional("heap_limit_bytes", gc.heap_limit_bytes);
	v.optional("resident_bytes", gc.resident_bytes);
}

template <typename Visitor, Is<WaitingClient> T> void fields(Visitor &v, T &client) {
	v.field("local", client.local);
	v.field("remote", client.remote);
	v.field("waited_ns", client.waited_ns);
	v.field("unread_bytes", client.unread_bytes);
	v.field("accepted", client.accepted);
}

template <typename Visitor, Is<Clients> T> void fields(Visitor &v, T &clients) {
	v.field("unanswered", clients.unanswered);
	v.field("oldest_ns", clients.oldest_ns);
	v.field("unread", clients.unread);
	v.field("not_accepted", clients.not_accepted);
	v.field("gave_up", clients.gave_up);
	v.field("connections", clients.connections);
}

template <typename Visitor, Is<KilledWorker> T> void fields(Visitor &v, T &worker) {
	v.field("pid", worker.pid);
	v.field("signal", worker.signal);
}

template <typename Visitor, Is<Runner> T> void fields(Visitor &v, T &runner) {
	v.field("pid", runner.pid);
	v.field("tid", runner.tid);
	v.field("comm", runner.comm);
	v.field("thread", runner.thread);
	v.field("ran_ns", runner.ran_ns);
	v.optional("name", runner.name);
}

template <typename Visitor, Is<Stall> T> void fields(Visitor &v, T &stall) {
	v.required("id", stall.id);
	v.either("phase", stall.ongoing, "ongoing", "ended", Unknown::is_error);
	v.required("start_ns", stall.start_ns);
	v.field("started_at", stall.started_at);
	v.required("duration_ns", stall.duration_ns);
	v.field("truncated", stall.truncated);
	v.required("pid", stall.pid);
	v.required("tid", stall.tid);
	v.field("comm", stall.comm);
	v.field("thread", stall.thread);
	v.optional("command", stall.name.command);
	v.optional("service", stall.name.service);
	v.field("cause", stall.cause);
	v.field("breakdown", stall.breakdown);
	v.field("culprit", stall.culprit);
	v.field("summary", stall.summary);
	v.optional("advice", stall.advice);
	v.optional("goes_on", stall.goes_on);
	v.optional("no_loop_yet", stall.no_loop_yet);
	v.field("waits", stall.waits);
	v.field("cpu", stall.cpu);
	v.optional("gil", stall.gil);
	v.field("throttled_ns", stall.throttled_ns);
	v.optional("startup", stall.startup);
	v.optional("pool", stall.pool);
	v.optional("peer", stall.peer);
	v.optional("beyond", stall.beyond);
	v.optional("no_end", stall.no_end);
	v.optional("killed_worker", stall.killed_worker);
	v.optional("limit", stall.limit);
	v.optional("runner", stall.runner);
	v.optional("task", stall.task);
	v.optional("callbacks", stall.callbacks);
	v.optional("gc", stall.gc);
	v.optional("threads", stall.threads);
	v.optional("deadlock", stall.deadlock);
	v.optional("clients", stall.clients);
	v.optional("left_out", stall.left_out);
}

} // namespace loopsnoop::output

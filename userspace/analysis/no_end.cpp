// SPDX-License-Identifier: Apache-2.0
#include "analysis/no_end.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <variant>
#include <vector>

#include "analysis/culprit.h"
#include "analysis/frame_names.h"
#include "analysis/wait_graph.h"
#include "model/application.h"

namespace loopsnoop::analysis {

namespace {

// CPython's concurrent/futures/thread.py, where a worker without a call is in _worker(), its queue written in C; a library's own
// workers are below queue.get().
bool is_idle_worker(const std::vector<SourceFrame> &frames) {
	for (const SourceFrame &frame : frames) {
		const std::string_view function = without_class(frame.function);
		if (frame.file.ends_with("/concurrent/futures/thread.py") && function == "_worker") {
			return true;
		}
		const bool waits_in_queue = (frame.file.ends_with("/threading.py") && function == "wait") ||
		                            (frame.file.ends_with("/queue.py") && function == "get");
		if (!waits_in_queue) {
			return &frame != frames.data() && !is_application_frame(frame) && !is_typed_in_frame(frame) &&
			       !frame.file.ends_with("/threading.py");
		}
	}
	return false;
}

const FutexResource *lock_of(const std::optional<Resource> &resource) {
	return resource ? std::get_if<FutexResource>(&resource->is) : nullptr;
}

// What one thread locks and the same one lets go of.
bool is_lock(const FutexResource &futex) {
	if (!futex.type) {
		return futex.lock != LockKind::unknown;
	}
	return futex.lock == LockKind::pthread_mutex || futex.type == "threading.Lock" || futex.type == "threading.RLock" ||
	       futex.type == "logging.Handler.lock" || futex.type == "pthread rwlock" || futex.type->starts_with("import lock");
}

} // namespace

bool waits_for_work(const ThreadView &thread) {
	if (thread.state != ThreadView::State::sleeping || thread.moved || thread.holds_gil.value_or(false) || !thread.stack ||
	    held_lock(thread) != nullptr) {
		return false;
	}
	const Stack &stack = *thread.stack;
	if (!stack.python.empty()) {
		return thread.cause == Cause::futex && is_idle_worker(stack.python);
	}
	if (!stack.javascript.empty() || innermost_application_frame(stack.native) != nullptr) {
		return false;
	}
	return thread.cause == Cause::futex || thread.cause == Cause::poll ||
	       (thread.syscall && (thread.syscall->starts_with("epoll_") || thread.syscall == "io_uring_enter"));
}

bool others_wait_for_work(const Stall &stall) { return stall.threads && std::ranges::all_of(*stall.threads, waits_for_work); }

std::optional<NoEnd> find_no_end(const Stall &stall, bool forked) {
	const Wait *wait = main_wait(stall);
	if (wait == nullptr || !wait->ongoing || wait->cause != stall.cause || stall.cause != Cause::futex || !stall.threads ||
	    stall.deadlock) {
		return std::nullopt;
	}
	const FutexResource *lock = lock_of(wait->resource);
	if (lock == nullptr || !lock->within_process || lock->lock == LockKind::gil) {
		return std::nullopt;
	}
	ThreadView self;
	self.tid = stall.tid;
	self.resource = wait->resource;
	const std::vector<const ThreadView *> links = WaitGraph(*stall.threads, &self).chain(stall.tid);
	if (links.size() == 1 && lock->holder && lock->holder->tid != stall.tid) {
		// Read from the lock: a thread that is not there.
		return forked && !lock->holder->inferred ? std::optional(NoEnd::before_fork) : std::nullopt;
	}
	if (links.size() > 1) {
		const ThreadView &last = *links.back();
		const FutexResource *its = lock_of(last.resource);
		if (last.moved || its == nullptr || !its->within_process || its->lock == LockKind::gil || its->holder) {
			return std::nullopt;
		}
	}
	bool any_other = false;
	for (const ThreadView &thread : *stall.threads) {
		const bool is_link = std::ranges::any_of(links, [&](const ThreadView *link) { return link->tid == thread.tid; });
		if (!is_link && !waits_for_work(thread)) {
			return std::nullopt;
		}
		any_other = any_other || !is_link;
	}
	if (links.size() > 1) {
		return NoEnd::each_other;
	}
	if (any_other) {
		return NoEnd::others_idle;
	}
	return forked && is_lock(*lock) ? NoEnd::before_fork : NoEnd::only_thread;
}

} // namespace loopsnoop::analysis

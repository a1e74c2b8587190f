// SPDX-License-Identifier: Apache-2.0
#include "analysis/no_end.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
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

// Threads that do a runtime's chores and never run the application's code: HotSpot's (src/hotspot/share/runtime, gc/shared), V8's
// and Node's (src/node_platform.cc, src/inspector_agent.cc), by what is in their stacks, and one of Java's library by its name.
bool does_chores(const ThreadView &thread) {
	static constexpr std::array<std::string_view, 13> chores{
	    "WatcherThread::run",       "VMThread::run",
	    "MonitorDeflationThread::", "ServiceThread::",
	    "NMethodSweeper::",         "CompileBroker::compiler_thread_loop",
	    "ConcurrentGCThread::run",  "GangWorker::",
	    "WorkerThread::run()",      "node::WorkerThreadsTaskRunner::",
	    "v8::platform::",           "node::inspector::(anonymous namespace)::StartIoThreadMain",
	    "os::signal_wait",
	};
	return thread.thread == "Common-Cleaner" ||
	       (thread.stack && std::ranges::any_of(thread.stack->native, [](const NativeFrame &frame) {
		        return frame.function && std::ranges::any_of(chores, [&](std::string_view one) {
			               return std::string_view(*frame.function).starts_with(one);
		               });
	        }));
}

// Nobody outside the process writes to it.
bool is_own(const Resource &resource, std::uint32_t pid) {
	if (const auto *file = std::get_if<FileResource>(&resource.is)) {
		return file->path == "anon_inode:[eventfd]";
	}
	if (const auto *pipe = std::get_if<PipeResource>(&resource.is)) {
		return pipe->peer && pipe->peer->pid == pid;
	}
	const auto *socket = std::get_if<SocketResource>(&resource.is);
	return socket != nullptr && socket->protocol == "unix" && socket->peer && socket->peer->pid == pid;
}

// From where a thread that waits for work may get it, but from the threads of its own process: it may end a wait then.
enum class Work : std::uint8_t { nowhere, timer, outside };

Work other_work(const ThreadView &thread, std::uint32_t pid) {
	if (thread.stack && !thread.stack->python.empty()) {
		return Work::nowhere; // a worker of an executor
	}
	const Work inside = thread.endless ? Work::nowhere : Work::timer;
	if (thread.cause == Cause::futex) {
		return inside;
	}
	const auto *polled = thread.resource ? std::get_if<FdsResource>(&thread.resource->is) : nullptr;
	if (polled == nullptr) {
		return thread.resource && is_own(*thread.resource, pid) ? inside : Work::outside;
	}
	const bool own = polled->total <= polled->fds.size() &&
	                 std::ranges::all_of(polled->fds, [&](const Resource &one) { return is_own(one, pid); });
	return own ? inside : Work::outside;
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
	bool timer = false;
	for (const ThreadView &thread : *stall.threads) {
		const bool is_link = std::ranges::any_of(links, [&](const ThreadView *link) { return link->tid == thread.tid; });
		if (!is_link && !does_chores(thread)) {
			const Work work = waits_for_work(thread) ? other_work(thread, stall.pid) : Work::outside;
			if (work == Work::outside || (work == Work::timer && links.size() > 1)) {
				return std::nullopt;
			}
			timer = timer || work == Work::timer;
		}
		any_other = any_other || !is_link;
	}
	if (links.size() > 1) {
		return NoEnd::each_other;
	}
	if (any_other) {
		return timer ? NoEnd::timer : NoEnd::others_idle;
	}
	return forked && is_lock(*lock) ? NoEnd::before_fork : NoEnd::only_thread;
}

} // namespace loopsnoop::analysis

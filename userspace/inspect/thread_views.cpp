// SPDX-License-Identifier: Apache-2.0
#include "inspect/thread_views.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <utility>
#include <variant>

#include "analysis/wait_graph.h"
#include "model/poll_calls.h"

namespace loopsnoop::inspect {

namespace {

bool is_asleep(const ThreadView &thread) {
	return thread.state != ThreadView::State::running && thread.state != ThreadView::State::runnable;
}

FutexResource *lock_of(ThreadView &thread) {
	return thread.resource ? std::get_if<FutexResource>(&thread.resource->is) : nullptr;
}

void set_gil_holder(Programs &programs, std::uint32_t pid, std::vector<ThreadView> &threads) {
	auto *interpreter = programs.interpreter(pid);
	if (interpreter == nullptr) {
		return;
	}
	const auto holder = interpreter->gil_holder();
	const auto thread = holder && holder->tid ? std::ranges::find(threads, *holder->tid, &ThreadView::tid) : threads.end();
	const auto ranges = interpreter->gils().ranges();
	for (ThreadView &view : threads) {
		if (thread != threads.end()) {
			view.holds_gil = view.tid == thread->tid;
		}
		FutexResource *lock = lock_of(view);
		const auto has_it = [&](const auto &range) { return lock->address >= range.begin && lock->address < range.end; };
		if (lock == nullptr || !std::ranges::any_of(ranges, has_it)) {
			continue;
		}
		view.cause = Cause::gil;
		lock->lock = LockKind::gil;
		// With several interpreters of a GIL each, who holds the main one's says nothing of the others.
		if (!lock->holder && ranges.size() == 1 && thread != threads.end() && thread->tid != view.tid) {
			lock->holder = Holder{thread->tid, thread->thread, false};
		}
	}
}

// The holder slept when its snapshot was taken and has moved since: it may have taken the GIL only then.
void clear_gil_holder(std::vector<ThreadView> &threads) {
	for (ThreadView &view : threads) {
		view.holds_gil.reset();
		if (FutexResource *lock = lock_of(view); lock != nullptr && lock->lock == LockKind::gil) {
			lock->holder.reset();
		}
	}
}

// A plain lock does not know who holds it. Who is inside a `with` block of it does, unless it only wants to be.
void infer_by_with(Programs &programs, std::uint32_t pid, std::vector<ThreadView> &threads) {
	std::set<std::uint64_t> objects;
	for (ThreadView &view : threads) {
		const FutexResource *lock = lock_of(view);
		if (lock != nullptr && lock->object != 0 && !lock->holder && lock->type == "threading.Lock") {
			objects.insert(lock->object);
		}
	}
	auto *interpreter = programs.interpreter(pid);
	if (objects.empty() || interpreter == nullptr) {
		return;
	}
	std::multimap<std::uint64_t, std::uint32_t> inside = interpreter->threads_in_with(objects);
	std::erase_if(inside, [&](const auto &one) {
		const auto view = std::ranges::find(threads, one.second, &ThreadView::tid);
		const FutexResource *wants = view != threads.end() ? lock_of(*view) : nullptr;
		return wants != nullptr && wants->object == one.first;
	});
	for (ThreadView &view : threads) {
		FutexResource *lock = lock_of(view);
		if (lock != nullptr && objects.contains(lock->object) && !lock->holder && inside.count(lock->object) == 1) {
			lock->holder = Holder{inside.find(lock->object)->second, {}, true};
		}
	}
}

// Locks name their holders by number, the kernel names them by what it knows: the views know better.
void rename(std::optional<Resource> &resource, std::span<const ThreadView> threads) {
	auto *lock = resource ? std::get_if<FutexResource>(&resource->is) : nullptr;
	if (lock == nullptr || !lock->holder) {
		return;
	}
	if (const auto thread = std::ranges::find(threads, lock->holder->tid, &ThreadView::tid); thread != threads.end()) {
		lock->holder->thread = thread->thread;
	}
}

} // namespace

std::optional<std::vector<std::uint32_t>> complete_views(Inspector &inspector, Programs &programs, std::uint32_t pid,
                                                         std::span<const ThreadSnapshot> snapshots,
                                                         std::vector<ThreadView> &threads, std::uint32_t start) {
	set_gil_holder(programs, pid, threads);
	infer_by_with(programs, pid, threads);
	for (ThreadView &view : threads) {
		rename(view.resource, threads);
	}
	for (const ThreadSnapshot &snapshot : snapshots) {
		const auto view = std::ranges::find(threads, snapshot.tid, &ThreadView::tid);
		if (view != threads.end() && view->syscall) {
			view->endless = has_no_timeout(*view->syscall, snapshot.args);
		}
	}
	const auto still = analysis::held_still(snapshots, inspector.snapshot(pid));
	bool gil_moved = false;
	for (ThreadView &view : threads) {
		view.moved = is_asleep(view) && !still.contains(view.tid);
		gil_moved = gil_moved || (view.moved && view.holds_gil == true);
	}
	if (gil_moved) {
		clear_gil_holder(threads);
	}
	return analysis::WaitGraph(threads).deadlock(still, start);
}

bool complete_wait(Stall &stall, const ThreadView &own) {
	const FutexResource *known = analysis::held_lock(own);
	bool completed = false;
	for (Wait &wait : stall.waits) {
		auto *lock = wait.resource ? std::get_if<FutexResource>(&wait.resource->is) : nullptr;
		if (known != nullptr && wait.ongoing && lock != nullptr && lock->address == known->address &&
		    (!lock->holder || lock->holder->tid == known->holder->tid)) {
			*lock = *known;
			completed = true;
		}
	}
	return completed;
}

} // namespace loopsnoop::inspect

// SPDX-License-Identifier: Apache-2.0
#include "analysis/lock_holders.h"

#include <variant>

namespace loopsnoop::analysis {

namespace {

// Whoever wakes the next one that wants it has had it: by what the lock is called, as far as that is known.
bool is_released_by_its_holder(const FutexResource &lock) {
	if (lock.lock == LockKind::pthread_mutex || lock.type == "pthread rwlock") {
		return true;
	}
	return lock.type == thread_end || lock.type == "threading.Lock" || lock.type == "threading.RLock" ||
	       lock.type == "logging.Handler.lock" || (lock.type && lock.type->starts_with("import lock"));
}

} // namespace

const Waker *own_waker(const Stall &stall, const Wait &wait) {
	const bool own = wait.waker && !wait.waker->interrupt && wait.waker->pid == stall.pid && wait.waker->tid != stall.tid;
	return own && !wait.ongoing ? &*wait.waker : nullptr;
}

void infer_holders(Stall &stall) {
	for (Wait &wait : stall.waits) {
		auto *lock = wait.resource ? std::get_if<FutexResource>(&wait.resource->is) : nullptr;
		const Waker *waker = own_waker(stall, wait);
		if (lock != nullptr && waker != nullptr && (!lock->holder || lock->holder->inferred) &&
		    is_released_by_its_holder(*lock)) {
			lock->holder = Holder{waker->tid, waker->thread, true};
		}
	}
}

} // namespace loopsnoop::analysis

// SPDX-License-Identifier: Apache-2.0
#include "inspect/last_holders.h"

#include <algorithm>
#include <variant>

namespace loopsnoop::inspect {

namespace {

// A PyMutex's waiters sleep on semaphores of their own: the object is what they have in common.
std::uint64_t identity_of(const FutexResource &lock) { return lock.object != 0 ? lock.object : lock.address; }

const FutexResource *lock_in(const std::optional<Resource> &resource) {
	const auto *lock = resource ? std::get_if<FutexResource>(&resource->is) : nullptr;
	return lock != nullptr && lock->lock != LockKind::gil && lock->type != thread_end ? lock : nullptr;
}

} // namespace

void LastHolders::learn(const Stall &stall) {
	for (const Wait &wait : stall.waits) {
		const FutexResource *lock = lock_in(wait.resource);
		if (lock == nullptr || !lock->holder || wait.ongoing) {
			continue;
		}
		known_[{stall.pid, identity_of(*lock)}] = {++learned_, *lock->holder};
		constexpr std::size_t most = 256;
		if (known_.size() > most) {
			known_.erase(std::ranges::min_element(known_, {}, [](const auto &one) { return one.second.when; }));
		}
	}
}

bool LastHolders::infer(Stall &stall, std::span<const ThreadView> threads) const {
	bool inferred = false;
	for (Wait &wait : stall.waits) {
		const FutexResource *lock = lock_in(wait.resource);
		if (lock == nullptr || lock->holder || !wait.ongoing) {
			continue;
		}
		const auto known = known_.find({stall.pid, identity_of(*lock)});
		const auto thread =
		    known != known_.end() ? std::ranges::find(threads, known->second.holder.tid, &ThreadView::tid) : threads.end();
		if (thread == threads.end()) {
			continue;
		}
		const FutexResource *wanted = lock_in(thread->resource);
		if (wanted == nullptr || identity_of(*wanted) != identity_of(*lock)) {
			std::get<FutexResource>(wait.resource->is).holder = Holder{thread->tid, thread->thread, true};
			inferred = true;
		}
	}
	return inferred;
}

void LastHolders::forget(std::uint32_t pid) {
	std::erase_if(known_, [&](const auto &one) { return one.first.first == pid; });
}

} // namespace loopsnoop::inspect

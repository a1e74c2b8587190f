// SPDX-License-Identifier: Apache-2.0
#include "summary/waker.h"

#include <fmt/format.h>

#include <variant>

#include "analysis/lock_holders.h"
#include "summary/place.h"
#include "summary/resource.h"

namespace loopsnoop::summary {

std::string format_waker(const Stall &stall, const Wait &wait) {
	const Waker *waker = analysis::own_waker(stall, wait);
	if (waker == nullptr) {
		return {};
	}
	const std::string place = waker->stack ? format_at(*waker->stack) : std::string();
	const auto *lock = wait.resource ? std::get_if<FutexResource>(&wait.resource->is) : nullptr;
	if (lock != nullptr && lock->holder && lock->holder->tid == waker->tid) {
		if (lock->type == thread_end) {
			return {}; // it has ended
		}
		return place.empty() ? place : " released" + place;
	}
	return " " + format_waker(*waker, waker->pid);
}

std::string format_waker(const Waker &waker, std::uint32_t own_pid) {
	if (waker.interrupt) {
		return "woken by an interrupt";
	}
	if (waker.pid == own_pid) {
		return "woken by " + format_thread(waker.thread, waker.tid) + (waker.stack ? format_at(*waker.stack) : std::string());
	}
	const std::string thread = waker.tid == waker.pid ? "" : fmt::format(", thread {} tid {}", waker.thread, waker.tid);
	return fmt::format("woken by {} (pid {}{})", waker.comm, waker.pid, thread);
}

} // namespace loopsnoop::summary

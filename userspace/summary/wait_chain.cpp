// SPDX-License-Identifier: Apache-2.0
#include "summary/wait_chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <variant>

#include "analysis/wait_graph.h"
#include "summary/place.h"
#include "summary/resource.h"
#include "summary/thread.h"
#include "summary/wait.h"

namespace loopsnoop::summary {

namespace {

constexpr std::size_t max_links = 6; // named one by one in a sentence

} // namespace

std::string format_thread(const ThreadView &thread) { return format_thread(thread.thread, thread.tid); }

std::string format_held_by(const FutexResource &lock, Addresses addresses) {
	if (lock.type == thread_end) {
		return "waits for the end of";
	}
	const bool with = addresses == Addresses::with && lock.lock != LockKind::gil;
	return fmt::format("waits for {}{} {}held by", format_lock(lock), with ? fmt::format(" ({:#x})", lock.address) : "",
	                   lock.holder && lock.holder->inferred ? "probably " : "");
}

std::string format_activity(const ThreadView &thread) {
	switch (thread.state) {
	case ThreadView::State::running: return "is running";
	case ThreadView::State::runnable: return "is ready to run, but has no CPU";
	case ThreadView::State::stopped: return "is stopped by a signal, a debugger or the freezer";
	case ThreadView::State::sleeping:
	case ThreadView::State::disk_sleep: break;
	}
	if (thread.moved) {
		return std::string(ran_on);
	}
	const auto *pipe = thread.resource ? std::get_if<PipeResource>(&thread.resource->is) : nullptr;
	if (pipe != nullptr && (thread.syscall == "write" || thread.syscall == "writev")) {
		const std::string what = pipe->path ? "FIFO " + *pipe->path : "pipe";
		return fmt::format("is in {}() to a full {}{}", *thread.syscall, what, format_peer(" read by ", pipe->peer));
	}
	Wait wait;
	wait.cause = thread.cause.value_or(Cause::other);
	wait.syscall = thread.syscall;
	wait.resource = thread.resource;
	return "is " + format_wait(wait);
}

std::string format_wait_chain(const std::vector<const ThreadView *> &links, std::size_t links_said) {
	if (links.empty() || analysis::held_lock(*links.front()) == nullptr) {
		return {};
	}
	const auto is_link = [&](std::uint32_t tid) {
		return std::find_if(links.begin(), links.end(), [&](const ThreadView *link) { return link->tid == tid; });
	};
	std::string text;
	const std::size_t cut = links.size() > max_links ? links.size() - max_links : 0;
	for (std::size_t i = 0; i < links.size(); i++) {
		if (i == links_said) {
			return text + ", …";
		}
		constexpr std::size_t shown_first = max_links / 2;
		if (cut > 0 && i >= shown_first && i < shown_first + cut) {
			text += i == shown_first ? fmt::format(", which waits, over {} more threads, for one that", cut) : "";
			continue;
		}
		const bool after_cut = cut > 0 && i == shown_first + cut;
		text += i == 0 ? "" : after_cut ? " " : ", which ";
		const FutexResource *lock = analysis::held_lock(*links[i]);
		if (lock == nullptr) {
			text += format_activity(*links[i]);
			continue;
		}
		text += format_held_by(*lock) + " " + format_thread(lock->holder->thread, lock->holder->tid);
		const auto holder = is_link(lock->holder->tid);
		if (holder != links.end()) {
			text += format_at(**holder);
		} else {
			text += no_thread_here;
		}
	}
	return text;
}

} // namespace loopsnoop::summary

// SPDX-License-Identifier: Apache-2.0
#include "summary/task_wait.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string_view>
#include <variant>

#include "base/duration.h"
#include "base/escape.h"
#include "summary/number.h"
#include "summary/place.h"
#include "summary/resource.h"

namespace loopsnoop::summary {

namespace {

constexpr std::size_t max_task_holders = 4; // named one by one

// A sentence reads "an asyncio.Lock"; in a list of tasks the type stands as it is.
enum class Articles : std::uint8_t { with, without };

std::string with_article(std::string_view type) {
	const bool vowel = !type.empty() && std::string_view("aeiouAEIOU").find(type.front()) != std::string_view::npos;
	return fmt::format("{} {}", vowel ? "an" : "a", type);
}

// Something of that type, or of no known one.
std::string one_of(const WaitsFor &what, std::string_view kind, Articles articles) {
	return what.type.empty() ? with_article(kind) : articles == Articles::with ? with_article(what.type) : what.type;
}

std::string executors_call(const WaitsFor &what) {
	if (what.queued) {
		return "a free worker thread";
	}
	return what.tid ? fmt::format("a call that thread {} {} makes", *what.tid, what.thread) : "a call in a worker thread";
}

// All kinds but those of which a sentence says something else than a list.
std::string noun_of(const WaitsFor &what, Articles articles) {
	switch (what.kind) {
	case WaitsForKind::task: return "the end of another task";
	case WaitsForKind::tasks:
		return (what.tasks.empty() ? std::string("other tasks") : plural(what.tasks.size(), "task")) +
		       (what.type.empty() ? "" : " (" + what.type + ")");
	case WaitsForKind::lock:
	case WaitsForKind::event:
	case WaitsForKind::condition:
	case WaitsForKind::semaphore: return one_of(what, name_of(what.kind), articles);
	case WaitsForKind::pool: return one_of(what, name_of(what.kind), Articles::without); // "asyncpg's pool"
	case WaitsForKind::queue_get: return "something to come in " + one_of(what, "queue", articles);
	case WaitsForKind::queue_put: return "room in " + one_of(what, "queue", articles);
	case WaitsForKind::executor: return executors_call(what);
	case WaitsForKind::process: return "the end of " + (what.resource ? format_resource(*what.resource) : "a child process");
	case WaitsForKind::sleep:
	case WaitsForKind::socket:
	case WaitsForKind::ready:
	case WaitsForKind::future: break;
	}
	return "a future that nobody known will set";
}

std::string in_list(const WaitsFor &what) {
	switch (what.kind) {
	case WaitsForKind::sleep: return "sleeps";
	case WaitsForKind::ready: return "is ready: its next step is due";
	case WaitsForKind::socket:
		return "waits for " + (what.resource ? format_resource(*what.resource) : "a socket, of which no more is known");
	default: break;
	}
	const bool queued = what.kind == WaitsForKind::executor && what.queued;
	return "waits for " + printable(noun_of(what, Articles::without), shown_path_bytes) + (queued ? ": its call is queued" : "");
}

std::string format_end(const WaitsFor &what) {
	if (!what.ends_in_ns) {
		return {};
	}
	const bool overdue = *what.ends_in_ns < 0;
	const std::string time =
	    format_rounded_duration(static_cast<std::uint64_t>(overdue ? -(*what.ends_in_ns + 1) : *what.ends_in_ns));
	if (overdue) {
		return ", overdue by " + time;
	}
	return ", for another " + time + (what.kind == WaitsForKind::sleep ? "" : " at most");
}

// What all these threads do, "recvfrom() on 10.1.2.3:443"; empty: not the same, or not known. A lock says nothing of the work.
std::string common_call(const WorkersAt &at, std::span<const ThreadView> threads) {
	std::set<std::string> calls;
	std::set<std::string> targets;
	for (const std::uint32_t tid : at.tids) {
		const auto thread = std::ranges::find(threads, tid, &ThreadView::tid);
		const bool known = thread != threads.end() && thread->syscall && thread->syscall != "futex";
		calls.insert(known ? *thread->syscall + "()" : std::string());
		targets.insert(known && thread->resource ? format_target(*thread->resource) : std::string());
	}
	if (calls.size() != 1 || calls.begin()->empty()) {
		return {};
	}
	return *calls.begin() + (targets.size() == 1 && !targets.begin()->empty() ? " on " + *targets.begin() : "");
}

} // namespace

std::string format_executor(const Executor &executor, std::span<const ThreadView> threads, bool over) {
	if (executor.busy < executor.size || executor.places.empty()) {
		return {};
	}
	const bool one = executor.size == 1;
	const WorkersAt &first = executor.places.front();
	std::string text = one ? fmt::format("the one worker of the executor {}", over ? "was" : "is")
	                       : fmt::format("all {} workers of the executor {}", executor.size, over ? "were" : "are");
	if (first.count != executor.busy) {
		text += fmt::format(" busy, {} of them", first.count);
	}
	const std::string call = common_call(first, threads);
	const std::string place = first.culprit ? format_source(*first.culprit) : std::string("code that is not known");
	return text + " in " + (call.empty() ? place : call + " at " + place);
}

std::string format_waits_for(const WaitsFor &what) {
	const auto *socket = what.resource ? std::get_if<SocketResource>(&what.resource->is) : nullptr;
	switch (what.kind) {
	case WaitsForKind::sleep:
		return what.ends_in_ns && *what.ends_in_ns > 0
		           ? "a timer of " + format_duration(static_cast<std::uint64_t>(*what.ends_in_ns))
		           : "a timer";
	case WaitsForKind::socket: return socket != nullptr ? "an answer from " + format_other_end(*socket) : "a socket";
	case WaitsForKind::ready: return "its next step";
	default: return noun_of(what, Articles::with);
	}
}

std::string format_task_wait(const WaitsFor &what) {
	std::string text = in_list(what);
	if (what.waiters && *what.waiters > 1) {
		text += ", as " + plural(*what.waiters - 1, "other") + (*what.waiters > 2 ? " do" : " does");
	}
	text += format_end(what);
	if (const std::string workers = what.executor ? format_executor(*what.executor, {}) : std::string(); !workers.empty()) {
		text += "; " + printable(workers, shown_path_bytes * 2);
	}
	for (std::size_t i = 0; i < std::min(what.holders.size(), max_task_holders); ++i) {
		const TaskHolder &holder = what.holders[i];
		text += (i == 0 ? "; probably held by " : ", ") + printable(holder.name) +
		        (holder.culprit ? " (" + format_place(*holder.culprit) + ")" : "");
	}
	return text + (what.holders.size() > max_task_holders ? ", …" : "");
}

} // namespace loopsnoop::summary

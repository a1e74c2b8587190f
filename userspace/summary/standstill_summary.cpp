// SPDX-License-Identifier: Apache-2.0
#include "summary/standstill_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "base/duration.h"
#include "summary/ending.h"
#include "summary/number.h"
#include "summary/resource.h"
#include "summary/task_wait.h"

namespace loopsnoop::summary {

namespace {

std::string place(const SourceFrame &frame) {
	const std::string line = frame.line ? fmt::format(":{}", *frame.line) : std::string();
	return frame.function.empty() ? fmt::format("{}{}", frame.file, line)
	                              : fmt::format("{} ({}{})", frame.function, frame.file, line);
}

// The application's line, else the innermost.
std::string place(const TaskGroup &group) {
	if (group.culprit) {
		return place(*group.culprit);
	}
	return group.stack.empty() ? std::string() : place(group.stack.front());
}

// It has ended: what was, not what is.
bool is_over(const Standstill &standstill) { return !standstill.ongoing && !standstill.goes_on; }

// "1 task waits", "2 tasks wait", and of what is over "waited".
std::string_view verb(const Standstill &standstill, std::uint64_t number) {
	return is_over(standstill) ? "waited" : number == 1 ? "waits" : "wait";
}

const SilentUpstream *upstream_of(const Standstill &standstill, const WaitsFor &what) {
	const auto *socket = what.resource ? std::get_if<SocketResource>(&what.resource->is) : nullptr;
	if (socket == nullptr || !socket->remote) {
		return nullptr;
	}
	const auto found = std::ranges::find_if(standstill.upstream, [&](const SilentUpstream &upstream) {
		return upstream.remote == *socket->remote && (!socket->local || upstream.local == *socket->local);
	});
	return found != standstill.upstream.end() ? &*found : nullptr;
}

std::string format_silence(const Standstill &standstill, const WaitsFor &what) {
	const SilentUpstream *upstream = upstream_of(standstill, what);
	return upstream != nullptr ? ", silent for " + format_duration(upstream->waited_ns) : std::string();
}

bool stands_there(const TaskGroup &group, const TaskHolder &holder) {
	return std::ranges::find(group.names, holder.name) != group.names.end() ||
	       (holder.culprit && group.culprit && holder.culprit->file == group.culprit->file &&
	        holder.culprit->line == group.culprit->line);
}

// Of a socket that is not known (uvloop's transports are written in C): the only upstream that is silent, if there is one.
std::string format_likely_upstream(const Standstill &standstill, const WaitsFor &what) {
	const auto &silent = standstill.upstream;
	const bool one =
	    what.kind == WaitsForKind::socket && !what.resource && !silent.empty() &&
	    std::ranges::all_of(silent, [&](const SilentUpstream &upstream) { return upstream.remote == silent.front().remote; });
	return one ? fmt::format(", probably to {}, silent for {}", silent.front().remote, format_duration(silent.front().waited_ns))
	           : std::string();
}

// ", probably held by export (jobs.py:88), which waits for an answer from 10.1.2.3:443, silent for 23 min"
std::string format_holders(const Standstill &standstill, const WaitsFor &what) {
	if (what.holders.empty()) {
		return {};
	}
	std::map<std::string, std::pair<std::size_t, const TaskHolder *>> places;
	for (const TaskHolder &holder : what.holders) {
		auto &[count, one] = places[holder.culprit ? place(*holder.culprit) : holder.name];
		count++;
		one = one != nullptr ? one : &holder;
	}
	const auto most = std::ranges::max_element(places, {}, [](const auto &entry) { return entry.second.first; });
	const auto &[at, counted] = *most;
	const TaskHolder &first = *counted.second;
	const std::size_t all = what.holders.size();
	std::string text =
	    ", probably held by " + (all == 1 ? at
	                                      : fmt::format("{}{}{} in {}", plural(all, "task"), all >= max_holders ? " or more" : "",
	                                                    counted.first == all ? "" : ", most of them", at));
	const auto group =
	    std::ranges::find_if(standstill.tasks, [&](const TaskGroup &one) { return one.waits_for && stands_there(one, first); });
	if (group != standstill.tasks.end() && &*group->waits_for != &what) {
		text += fmt::format(", which {} for {}{}", verb(standstill, what.holders.size()), format_waits_for(*group->waits_for),
		                    format_silence(standstill, *group->waits_for));
		text += format_likely_upstream(standstill, *group->waits_for);
	}
	return text;
}

std::string format_group(const Standstill &standstill, const TaskGroup &group) {
	const std::string where = place(group);
	std::string text = fmt::format("{} {}", plural(group.count, "task"), verb(standstill, group.count));
	if (group.waits_for) {
		text += " for " + format_waits_for(*group.waits_for);
	}
	if (!where.empty()) {
		text += " in " + where;
	}
	if (group.waits_for) {
		text += format_silence(standstill, *group.waits_for) + format_holders(standstill, *group.waits_for);
		const auto &executor = group.waits_for->executor;
		const auto threads = standstill.threads ? std::span(*standstill.threads) : std::span<const ThreadView>();
		const std::string workers = executor ? format_executor(*executor, threads, is_over(standstill)) : std::string();
		text += workers.empty() ? workers : "; " + workers;
	}
	return text;
}

std::string format_upstream(const SilentUpstream &upstream, bool over) {
	const std::string who = upstream.peer
	                            ? fmt::format("{} ({}, pid {})", upstream.remote, format_name(*upstream.peer), upstream.peer->pid)
	                            : upstream.remote;
	return fmt::format("it {} {} {} for {}", over ? "had" : "has",
	                   upstream.connecting ? "tried to connect to" : "waited for an answer from", who,
	                   format_duration(upstream.waited_ns));
}

// What the customers probably wait for: tasks, the pool of threads, or an upstream that has been silent at least as long.
std::string format_reason(const Standstill &standstill) {
	if (!standstill.tasks.empty() && standstill.tasks.front().waits_for) {
		return "; " + format_group(standstill, standstill.tasks.front());
	}
	if (standstill.threads) {
		if (const auto pool = find_stuck_pool(*standstill.threads)) {
			return fmt::format(
			    "; {} of libuv's pool {} in {}(){}, as many as may be: every other look-up of a name waits behind {}",
			    plural(pool->threads, "thread"), pool->threads == 1 ? "is" : "are", pool->call,
			    pool->remote.empty() ? "" : " on " + pool->remote, pool->threads == 1 ? "it" : "them");
		}
	}
	if (!standstill.upstream.empty()) {
		return "; " + format_upstream(standstill.upstream.front(), is_over(standstill));
	}
	return {};
}

std::string no_answer(const Standstill &standstill) {
	const std::string clients = format_clients(standstill.clients, is_over(standstill));
	return fmt::format("the loop {} idle, {}{}{}", is_over(standstill) ? "was" : "is", clients,
	                   standstill.tasks.empty() ? ", probably in vain: nobody has got a byte meanwhile" : "",
	                   format_reason(standstill));
}

std::string lost_wakeup(const Standstill &standstill) {
	std::string text;
	if (standstill.ready && standstill.ready->count > 0) {
		const bool over = is_over(standstill);
		text = fmt::format("the loop {} although {} {} queued", over ? "slept" : "sleeps",
		                   plural(standstill.ready->count, "callback"),
		                   standstill.ready->count == 1 ? (over ? "was" : "is") : (over ? "were" : "are"));
		const auto named =
		    std::ranges::find_if(standstill.ready->callbacks, [](const ReadyCallback &one) { return one.callback.has_value(); });
		if (named != standstill.ready->callbacks.end()) {
			text += fmt::format(", {} {}", named->task ? "the step of a task in" : "first", place(*named->callback));
		}
		text += ": another thread probably queued it without waking the loop";
	} else {
		text = fmt::format("the loop {} although a timer was due", is_over(standstill) ? "slept" : "sleeps");
		if (standstill.ready && standstill.ready->timer_overdue_ns) {
			text += fmt::format(" {} ago", format_duration(*standstill.ready->timer_overdue_ns));
		}
		text += ": another thread probably set it without waking the loop";
	}
	const std::string clients = format_clients(standstill.clients, is_over(standstill));
	return clients.empty() ? text : text + "; " + clients;
}

std::string task_deadlock(const Standstill &standstill) {
	std::string text = fmt::format("{} {} for each other{}", plural(standstill.deadlock.size(), "task"),
	                               verb(standstill, standstill.deadlock.size()),
	                               standstill.certain ? "" : ", as far as who holds a lock can be inferred");
	std::size_t named = 0;
	for (const TaskGroup &group : standstill.tasks) {
		if (named >= standstill.deadlock.size() || !group.waits_for) {
			break;
		}
		text += fmt::format("{} {} in {} for {}", named == 0 ? ":" : ",", group.names.empty() ? "one" : group.names.front(),
		                    place(group), format_waits_for(*group.waits_for));
		named += group.count;
	}
	const std::string clients = format_clients(standstill.clients, is_over(standstill));
	return clients.empty() ? text : text + "; " + clients;
}

std::string not_accepted(const Standstill &standstill) {
	return fmt::format("the loop {} while {} {} to be accepted, the oldest for {}", is_over(standstill) ? "slept" : "sleeps",
	                   plural(standstill.clients.not_accepted, "connection"), verb(standstill, standstill.clients.not_accepted),
	                   format_duration(standstill.clients.oldest_ns.value_or(standstill.duration_ns)));
}

std::string spin(const Standstill &standstill) {
	std::string text = fmt::format("the loop {} round {} times a second without sleeping", is_over(standstill) ? "went" : "goes",
	                               standstill.spin ? standstill.spin->iterations_per_s : 0);
	if (standstill.spin && standstill.spin->resource) {
		const auto *socket = std::get_if<SocketResource>(&standstill.spin->resource->is);
		const std::string what = socket != nullptr ? fmt::format("{} {}{}{}", socket->protocol, format_other_end(*socket),
		                                                         socket->fd ? fmt::format(" (fd {})", *socket->fd) : "",
		                                                         socket->state ? ", " + *socket->state : "")
		                                           : format_resource(*standstill.spin->resource);
		text += fmt::format(", probably for {}, which {} ready", what, is_over(standstill) ? "stayed" : "stays");
	}
	if (standstill.culprit) {
		text += ", in " + place(*standstill.culprit);
	}
	return text;
}

std::string describe(const Standstill &standstill) {
	switch (standstill.kind) {
	case StandstillKind::lost_wakeup: return lost_wakeup(standstill);
	case StandstillKind::task_deadlock: return task_deadlock(standstill);
	case StandstillKind::not_accepted: return not_accepted(standstill);
	case StandstillKind::spin: return spin(standstill);
	case StandstillKind::no_answer: break;
	}
	return no_answer(standstill);
}

// Of Node's own libuv or a library's.
bool is_of_libuv(const NativeFrame &frame) {
	const std::string_view module = frame.module ? std::string_view(*frame.module) : std::string_view();
	const std::string_view file = module.substr(module.rfind('/') + 1);
	return (frame.function && frame.function->starts_with("uv__")) || file.starts_with("node") || file.starts_with("libnode") ||
	       file.starts_with("libuv");
}

bool is_pool_call(std::string_view function, std::string_view call) {
	return function == call || function.starts_with(fmt::format("{}@", call)) || function.starts_with(fmt::format("__{}", call));
}

} // namespace

std::string format_clients(const Clients &clients, bool over) {
	std::string text;
	const auto add = [&](const std::string &part) { text += (text.empty() ? "" : ", ") + part; };
	if (clients.unanswered > 0) {
		add(fmt::format("{} {}", plural(clients.unanswered, "customer"),
		                over                      ? "waited"
		                : clients.unanswered == 1 ? "waits"
		                                          : "wait"));
	}
	if (clients.not_accepted > 0) {
		const std::string_view is = over                        ? "had not been accepted"
		                            : clients.not_accepted == 1 ? "is not accepted yet"
		                                                        : "are not accepted yet";
		add(fmt::format("{} {}", plural(clients.not_accepted, "connection"), is));
	}
	if (clients.oldest_ns && !text.empty()) {
		text += fmt::format(", {}for {}", clients.unanswered + clients.not_accepted > 1 ? "the oldest " : "",
		                    format_duration(*clients.oldest_ns));
	}
	if (clients.gave_up > 0) {
		add(fmt::format("{} gave up", clients.gave_up));
	}
	return text;
}

std::string summarize(const Standstill &standstill) {
	const bool serves = standstill.kind != StandstillKind::no_answer && standstill.kind != StandstillKind::not_accepted;
	const bool over = is_over(standstill);
	const std::string_view what = serves ? (over ? "stood still" : "standing still") : (over ? "did not serve" : "not serving");
	const std::string goes_on = over                 ? ""
	                            : standstill.ongoing ? " (still)"
	                                                 : fmt::format(" ({})", format_truncation(Truncated::session_end));
	return fmt::format("{} for {}{}: {}", what, format_duration(standstill.duration_ns), goes_on, describe(standstill));
}

std::optional<std::string> advice_for(const Standstill &standstill) {
	switch (standstill.kind) {
	case StandstillKind::lost_wakeup:
		return "from another thread use loop.call_soon_threadsafe() or asyncio.run_coroutine_threadsafe(); asyncio's debug mode "
		       "(PYTHONASYNCIODEBUG=1) raises where it is done wrong";
	case StandstillKind::task_deadlock: return "take locks in one order, and none while awaiting a task that needs it";
	case StandstillKind::not_accepted:
		return "nothing calls accept(): the server was closed or its reader removed, or the process is out of descriptors";
	case StandstillKind::spin:
		return "take the descriptor out of the loop (remove_reader, close) once reading it gives nothing more";
	case StandstillKind::no_answer: break;
	}
	if (standstill.tasks.empty() || !standstill.tasks.front().waits_for) {
		return std::nullopt;
	}
	switch (standstill.tasks.front().waits_for->kind) {
	case WaitsForKind::pool:
		return "acquire connections with a time-out and give them back in `async with`; a pool that is too small recovers, one "
		       "that "
		       "leaks does not";
	case WaitsForKind::lock:
	case WaitsForKind::semaphore:
		return "hold it in `async with`, and put a time-out (asyncio.timeout) around what is awaited inside";
	case WaitsForKind::executor: {
		const WaitsFor &what = *standstill.tasks.front().waits_for;
		const bool free = what.executor && what.executor->busy < what.executor->size && !what.queued;
		return free ? "put a time-out on what the worker thread does: nothing can end a call in a thread from outside"
		            : "all worker threads are taken: put time-outs on what they do, or give slow calls an executor of their own";
	}
	case WaitsForKind::socket: return "put a time-out (asyncio.timeout, or the client's own) around the request";
	case WaitsForKind::future:
		return "somebody must set the future, also when it fails: set_exception, and a time-out around the await";
	default: return std::nullopt;
	}
}

std::string_view words_of(StandstillKind kind) {
	switch (kind) {
	case StandstillKind::lost_wakeup: return "callbacks or timers are due and the loop sleeps";
	case StandstillKind::task_deadlock: return "tasks wait for each other";
	case StandstillKind::not_accepted: return "connections wait to be accepted and the loop sleeps";
	case StandstillKind::spin: return "the loop goes round without sleeping";
	case StandstillKind::no_answer: break;
	}
	return "the loop is idle and customers wait";
}

std::optional<SourceFrame> culprit_of(const Standstill &standstill) {
	for (const TaskGroup &group : standstill.tasks) {
		if (group.culprit) {
			return group.culprit;
		}
	}
	if (standstill.ready) {
		for (const ReadyCallback &one : standstill.ready->callbacks) {
			if (one.callback) {
				return one.callback;
			}
		}
	}
	return std::nullopt;
}

std::optional<StuckPool> find_stuck_pool(const std::vector<ThreadView> &threads) {
	constexpr std::uint64_t usual_size = 4; // UV_THREADPOOL_SIZE's default
	StuckPool pool;
	std::uint64_t size = 0;
	for (const ThreadView &thread : threads) {
		size += thread.thread.starts_with("libuv-worker") ? 1 : 0; // named so since libuv commit e59e2a9e, of 2025
		if (!thread.stack || thread.state != ThreadView::State::sleeping) {
			continue;
		}
		const bool resolves_name = std::ranges::any_of(thread.stack->native, [](const NativeFrame &frame) {
			return frame.function && is_pool_call(*frame.function, "getaddrinfo");
		});
		if (!resolves_name || std::ranges::none_of(thread.stack->native, is_of_libuv)) {
			continue;
		}
		pool.threads++;
		pool.call = "getaddrinfo";
		const Resource *resource = thread.resource ? &*thread.resource : nullptr;
		if (const auto *several = resource != nullptr ? std::get_if<FdsResource>(&resource->is) : nullptr;
		    several != nullptr && !several->fds.empty()) {
			resource = &several->fds.front();
		}
		const auto *socket = resource != nullptr ? std::get_if<SocketResource>(&resource->is) : nullptr;
		if (socket != nullptr && pool.remote.empty()) {
			pool.remote = socket->protocol + " " + format_other_end(*socket);
		}
	}
	// Half of the pool may do what is slow, which resolving names is to it (libuv, src/threadpool.c,
	// slow_work_thread_threshold).
	const std::uint64_t slots = ((size != 0 ? size : usual_size) + 1) / 2;
	return pool.threads >= slots ? std::optional(pool) : std::nullopt;
}

} // namespace loopsnoop::summary

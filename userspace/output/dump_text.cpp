// SPDX-License-Identifier: Apache-2.0
#include "output/dump_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <variant>

#include "analysis/no_end.h"
#include "analysis/wait_graph.h"
#include "base/escape.h"
#include "output/chain_text.h"
#include "output/stack_text.h"
#include "output/tasks_text.h"
#include "summary/number.h"
#include "summary/process.h"
#include "summary/resource.h"
#include "summary/thread.h"

namespace loopsnoop::output {

namespace {

constexpr std::size_t max_group_names = 4; // of a group of threads

std::string_view words_of(const std::optional<NoStack> &why) {
	if (!why) {
		return "it was not asleep";
	}
	switch (*why) {
	case NoStack::too_many: return "more threads compute than are sampled";
	case NoStack::refused: return "the kernel refused to sample it; `loopsnoop doctor` says why";
	case NoStack::not_run: break;
	}
	return "it was not asleep, and did not run while it was sampled";
}

enum class Rank : std::uint8_t { deadlocked, holds_up, main, active, waits_for_holder, rest, idle };

// The thing itself, and not only its kind: two threads that each read from a socket of their own have nothing in common. Of
// threads that wait for work, and of conditions, which have a word for each that waits, the kind is all there is.
std::string waited_for(const ThreadView &thread) {
	const Resource &resource = *thread.resource;
	const auto *futex = std::get_if<FutexResource>(&resource.is);
	if (futex == nullptr) {
		return summary::format_resource(resource);
	}
	const bool is_lock = futex->lock != LockKind::unknown || futex->type == "threading.Lock" || futex->type == "threading.RLock";
	if (futex->type && !is_lock) {
		return *futex->type;
	}
	return analysis::waits_for_work(thread) ? "lock" : fmt::format("lock {:x}", futex->address);
}

// What two threads are alike in.
std::string likeness(const ThreadView &thread) {
	std::string key =
	    fmt::format("{}|{}|{}|", name_of(thread.state), thread.cause ? name_of(*thread.cause) : "", thread.syscall.value_or(""));
	key += thread.moved ? "moved|" : "";
	key += thread.no_stack ? name_of(*thread.no_stack) : "";
	key += thread.holds_gil.value_or(false) ? "|gil" : "";
	if (thread.resource) {
		key += waited_for(thread);
	}
	if (!thread.stack) {
		return key;
	}
	for (const std::vector<SourceFrame> *frames : {&thread.stack->python, &thread.stack->javascript}) {
		for (const SourceFrame &frame : *frames) {
			key += fmt::format("|{} {}:{}", frame.function, frame.file, frame.line.value_or(0));
		}
	}
	if (thread.stack->python.empty() && thread.stack->javascript.empty()) {
		for (const NativeFrame &frame : thread.stack->native) {
			key += fmt::format("|{}+{:x}", frame.module.value_or(""), frame.offset);
		}
	}
	return key;
}

std::string names_of(const ThreadGroup &group) {
	std::string names;
	for (std::size_t i = 0; i < std::min(group.size(), max_group_names); i++) {
		names += fmt::format("{}{} {}", i == 0 ? "" : ", ", group[i]->tid, printable(group[i]->thread));
	}
	return names + (group.size() > max_group_names ? ", …" : "");
}

std::string group_text(const ThreadGroup &group, const std::map<std::uint32_t, std::size_t> &held_up, std::uint32_t pid,
                       const StallStyle &style) {
	const ThreadView &first = *group.front();
	std::string out;
	if (group.size() == 1) {
		out = style.palette.strong(fmt::format("{} {}", first.tid, printable(first.thread)));
		out += first.tid == pid ? " (main thread)" : "";
		out += ": " + summary::format_state(first);
		if (const auto waiters = held_up.find(first.tid); waiters != held_up.end()) {
			out += ", " + style.palette.alarm(fmt::format("holds up {}", summary::plural(waiters->second, "thread")));
		}
	} else {
		out = style.palette.strong(fmt::format("{} threads like this", group.size())) +
		      fmt::format(" ({}): {}", names_of(group), summary::format_state(first));
	}
	out += '\n';
	if (first.stack) {
		out += stack_lines(*first.stack, StackStyle{style.palette, style.everything, "  "});
	} else if (first.state == ThreadView::State::running || first.state == ThreadView::State::runnable) {
		out += style.palette.faint(fmt::format("    no stack: {}", words_of(first.no_stack))) + '\n';
	}
	return out;
}

} // namespace

std::vector<ThreadGroup> in_shown_order(const Dump &dump) {
	const auto held_up = analysis::WaitGraph(dump.threads).held_up();
	const std::set<std::uint32_t> deadlocked =
	    dump.deadlock ? std::set<std::uint32_t>(dump.deadlock->begin(), dump.deadlock->end()) : std::set<std::uint32_t>();
	const auto rank_of = [&](const ThreadView &thread) {
		using State = ThreadView::State;
		if (deadlocked.contains(thread.tid)) {
			return Rank::deadlocked;
		}
		if (held_up.contains(thread.tid)) {
			return Rank::holds_up;
		}
		if (thread.tid == dump.pid) {
			return Rank::main;
		}
		if (thread.state == State::running || thread.state == State::runnable || thread.holds_gil.value_or(false)) {
			return Rank::active;
		}
		if (analysis::held_lock(thread) != nullptr) {
			return Rank::waits_for_holder;
		}
		return analysis::waits_for_work(thread) ? Rank::idle : Rank::rest;
	};
	struct Ranked {
		Rank rank;
		std::size_t order; // within the rank, lowest first
		ThreadGroup group;
	};
	std::vector<Ranked> ranked;
	std::map<std::string, std::size_t> alike; // place in `ranked`
	for (const ThreadView &thread : dump.threads) {
		const Rank rank = rank_of(thread);
		if (rank == Rank::rest || rank == Rank::idle || (rank == Rank::active && !thread.stack)) {
			const auto [entry, is_new] = alike.emplace(likeness(thread), ranked.size());
			if (!is_new) {
				ranked[entry->second].group.push_back(&thread);
				continue;
			}
		}
		const auto waiters = held_up.find(thread.tid);
		ranked.push_back({rank, waiters != held_up.end() ? dump.threads.size() - waiters->second : 0, {&thread}});
	}
	for (Ranked &one : ranked) {
		one.order = one.rank == Rank::rest || one.rank == Rank::idle ? one.group.size() : one.order;
	}
	std::stable_sort(ranked.begin(), ranked.end(),
	                 [](const Ranked &a, const Ranked &b) { return a.rank != b.rank ? a.rank < b.rank : a.order < b.order; });
	std::vector<ThreadGroup> groups;
	groups.reserve(ranked.size());
	for (Ranked &one : ranked) {
		groups.push_back(std::move(one.group));
	}
	return groups;
}

std::string dump_text(const Dump &dump, const StallStyle &style) {
	std::string out = style.palette.strong(fmt::format("{} (pid {}): {}", summary::format_process(dump.name, dump.comm), dump.pid,
	                                                   summary::plural(dump.threads.size(), "thread"))) +
	                  style.palette.faint(fmt::format(", {}", printable(dump.started_at))) + '\n';
	const analysis::WaitGraph graph(dump.threads);
	if (dump.deadlock) {
		out += deadlock_section(*dump.deadlock, dump.threads, nullptr, style.palette);
	}
	const auto held_up = graph.held_up();
	ThreadGroup idle; // native ones, of whose stacks nobody learns anything: in one line at the end
	for (const ThreadGroup &group : in_shown_order(dump)) {
		const ThreadView &first = *group.front();
		if (!style.everything && first.tid != dump.pid && analysis::waits_for_work(first) && first.stack->python.empty()) {
			idle.insert(idle.end(), group.begin(), group.end());
			continue;
		}
		if (!style.everything) {
			out += '\n' + group_text(group, held_up, dump.pid, style);
			continue;
		}
		for (const ThreadView *thread : group) {
			out += '\n' + group_text({thread}, held_up, dump.pid, style);
		}
	}
	if (!idle.empty()) {
		out += '\n' + style.palette.faint(idle_threads_line(idle) + " (-v shows them)") + '\n';
	}
	if (!dump.loops.empty()) {
		out += '\n' + tasks_in_short(dump, style);
	}
	return out;
}

} // namespace loopsnoop::output

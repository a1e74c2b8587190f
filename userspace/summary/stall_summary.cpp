// SPDX-License-Identifier: Apache-2.0
#include "summary/stall_summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string_view>

#include "analysis/circumstances.h"
#include "analysis/culprit.h"
#include "analysis/database_wait.h"
#include "analysis/kernel_frames.h"
#include "analysis/pool_wait.h"
#include "analysis/wait_graph.h"
#include "base/columns.h"
#include "base/duration.h"
#include "base/escape.h"
#include "base/shorten.h"
#include "summary/advice.h"
#include "summary/circumstances.h"
#include "summary/garbage.h"
#include "summary/gil.h"
#include "summary/limit.h"
#include "summary/no_end.h"
#include "summary/number.h"
#include "summary/peer.h"
#include "summary/place.h"
#include "summary/pool.h"
#include "summary/process.h"
#include "summary/resource.h"
#include "summary/standstill_summary.h"
#include "summary/wait.h"
#include "summary/wait_chain.h"
#include "summary/waker.h"

namespace loopsnoop::summary {

namespace {

bool has_place(const Stall &stall) { return stall.culprit || stall.task || stall.callbacks; }

// What of a stall a sentence says.
struct Said {
	static constexpr std::size_t all = std::numeric_limits<std::size_t>::max();
	bool numbered_task = true; // of a task that nobody has named, its number
	bool clients = true;
	std::size_t peers = all; // processes behind the last thread
	std::size_t links = all; // threads, the loop's included
	bool task = true;
	Length no_end = Length::full;
};

// Whom asyncio has named itself: "Task-17".
bool is_numbered(std::string_view task) {
	constexpr std::string_view prefix = "Task-";
	return task.starts_with(prefix) && task.find_first_not_of("0123456789", prefix.size()) == std::string_view::npos;
}

bool says_task(const Stall &stall, const Said &said) {
	return said.task && stall.task && !stall.task->name.empty() && stall.task->name != "?" &&
	       (said.numbered_task || !is_numbered(stall.task->name));
}

std::string format_callbacks(const Stall &stall) {
	return stall.callbacks ? fmt::format(" in {} or more callbacks of one iteration", thousands(*stall.callbacks))
	                       : std::string();
}

// " in audit (audit.py:57), in task orders-7", or "…, in 2,600 or more callbacks of one iteration"
std::string in_culprit(const Stall &stall, const Said &said) {
	constexpr std::size_t longest_name = 64;
	const std::string place = stall.culprit ? " in " + format_source(*stall.culprit) : std::string();
	const std::string whose =
	    says_task(stall, said) ? " in task " + printable(stall.task->name, longest_name) : format_callbacks(stall);
	return place + (place.empty() || whose.empty() ? "" : ",") + whose;
}

std::string of_gil(const Stall &stall) {
	return fmt::format("waiting {} of it for Python's GIL, {} times", format_duration(stall.gil->ns), stall.gil->count);
}

// A share of the stall worth a word although another cause has more.
bool gil_matters(const Stall &stall) {
	constexpr std::uint64_t quarter = 4;
	return stall.gil && stall.gil->ns * quarter >= stall.duration_ns;
}

// Who kept the loop waiting for the GIL, after the sentence's own cause and place.
std::string gil_end(const Stall &stall) {
	if (!gil_matters(stall)) {
		return {};
	}
	const std::string holder = format_gil_holder(stall);
	if (stall.cause != Cause::gil) {
		return ", " + of_gil(stall) + (holder.empty() ? holder : ", " + holder);
	}
	return holder.empty() ? holder : ", " + holder;
}

// Said where it is a good part of the stall.
std::string throttled(const Stall &stall) {
	constexpr std::uint64_t tenth = 10;
	if (!stall.throttled_ns || *stall.throttled_ns == 0 || *stall.throttled_ns * tenth < stall.duration_ns) {
		return {};
	}
	return fmt::format(" (its cgroup{} was throttled for {}{})", stall.limit ? " " + stall.limit->path : "",
	                   format_duration(*stall.throttled_ns), stall.limit ? ": " + format_limit(*stall.limit) : "");
}

// Who holds the lock that is waited for, and what that thread waits for in turn, down to the last link; empty when that is not
// known. The other threads were inspected while the stall ran: the chain is said only of a wait that went on then.
std::string held_up_by(const Stall &stall, std::size_t links_said) {
	const Wait *deadlocked = analysis::deadlocked_wait(stall);
	const Wait *wait = deadlocked != nullptr ? deadlocked : analysis::main_wait(stall);
	if (wait == nullptr || (wait != deadlocked && wait->cause != stall.cause) || !wait->ongoing || !stall.threads) {
		return {};
	}
	ThreadView self;
	self.tid = stall.tid;
	self.thread = stall.thread;
	self.resource = wait->resource;
	self.stack = wait->stack;
	const auto links = analysis::WaitGraph(*stall.threads, &self).chain(stall.tid);
	// Whoever runs with the GIL lets go of it soon; who sleeps with it is worth a word.
	if (stall.cause == Cause::gil && !links.empty() && links.back()->state != ThreadView::State::sleeping &&
	    links.back()->state != ThreadView::State::disk_sleep) {
		return {};
	}
	std::string chain = format_wait_chain(links, links_said);
	if (chain.empty() || !stall.deadlock) {
		return chain;
	}
	const auto is_dead = [&](std::uint32_t tid) {
		return std::find(stall.deadlock->begin(), stall.deadlock->end(), tid) != stall.deadlock->end();
	};
	if (is_dead(stall.tid)) {
		return fmt::format("deadlock: {} {}", format_thread(self), chain);
	}
	const bool leads_there = std::any_of(links.begin(), links.end(), [&](const ThreadView *link) { return is_dead(link->tid); });
	return (leads_there ? "held up by a deadlock: " : "") + chain;
}

// Who had the CPU meanwhile; nothing where a limit held the loop back: then nobody had to.
std::string had_by(const Stall &stall) {
	if (!stall.runner || !throttled(stall).empty()) {
		return {};
	}
	const Runner &runner = *stall.runner;
	constexpr std::size_t longest_name = 64;
	const std::string thread = printable(runner.thread, longest_name);
	if (runner.pid == stall.pid) {
		return fmt::format(" (its own thread {} (tid {}) had it)", thread, runner.tid);
	}
	const std::string name = format_process({{}, runner.name}, runner.comm);
	return runner.tid == runner.pid ? fmt::format(" ({} (pid {}) had it)", name, runner.pid)
	                                : fmt::format(" ({} (pid {}, thread {}) had it)", name, runner.pid, thread);
}

// It is the kernel that computes when most of the samples are in one system call.
std::string computing(const Stall &stall) {
	std::uint64_t all = 0;
	std::map<std::string_view, std::uint64_t> calls;
	for (const CpuPart &part : stall.cpu) {
		all += part.ns;
		if (const std::string_view call = analysis::system_call_of(part.stack.kernel); !call.empty()) {
			calls[call] += part.ns;
		}
	}
	const auto most = std::ranges::max_element(calls, {}, [](const auto &call) { return call.second; });
	return most != calls.end() && most->second * 2 > all ? fmt::format("computing in the kernel, in {}()", most->first)
	                                                     : "computing";
}

std::string memory_limit(const Stall &stall) {
	return stall.limit && stall.limit->memory_bytes
	           ? fmt::format(" (its cgroup {} has {})", stall.limit->path, format_limit(*stall.limit))
	           : std::string();
}

// "1,812 page faults on /srv/weights (its cgroup /shop has a memory limit of 40 MiB)"
std::string paging(const Stall &stall) {
	const FileResource *file = analysis::paged_file(stall);
	return plural(part_of(stall.breakdown, Cause::page_fault).count, "page fault") +
	       (file != nullptr ? " on " + printable(*file->path, shown_path_bytes) : std::string()) + memory_limit(stall) +
	       (stall.cause == Cause::runqueue ? throttled(stall) : std::string());
}

std::string what(const Stall &stall) {
	if (stall.cause != Cause::gil && is_garbage_collection(stall)) {
		return format_garbage_collection(stall);
	}
	if (stall.cause == Cause::gil && stall.gil) {
		return of_gil(stall);
	}
	if (analysis::is_paging(stall)) {
		return paging(stall);
	}
	if (stall.cause == Cause::cpu) {
		return computing(stall);
	}
	if (stall.cause == Cause::runqueue) {
		return "ready to run, but given no CPU" + throttled(stall) + had_by(stall);
	}
	const Wait *wait = analysis::main_wait(stall);
	if (wait == nullptr || wait->cause != stall.cause) {
		return std::string(words_of(stall.cause));
	}
	std::string text = format_wait(*wait);
	if (stall.killed_worker) {
		text += fmt::format(", whose worker (pid {}) was killed by {}", stall.killed_worker->pid,
		                    printable(stall.killed_worker->signal));
	}
	if (stall.pool) {
		text = format_pool_wait(stall);
	} else if (const std::string_view pool = wait->stack ? analysis::pool_of(*wait->stack) : std::string_view(); !pool.empty()) {
		text = fmt::format("waiting for {}", pool);
	}
	// Counted by the account: short waits that left no record are in it.
	const std::uint64_t count = part_of(stall.breakdown, stall.cause).count;
	if (count > 1 && !analysis::is_database_wait(*wait)) { // how often it tried again says nothing
		text += fmt::format(", {} times", count);
	}
	text += stall.cause == Cause::page_fault ? memory_limit(stall) : std::string();
	const std::string woken = format_waker(stall, *wait);
	return woken.empty() ? text : text + "," + woken + (has_place(stall) ? ";" : "");
}

// "audit.py:57", as a summary would name the line whatever it does with the path before it.
std::string short_place(const SourceFrame &frame) {
	const std::string name = printable(file_name_of(frame.file), shown_path_bytes);
	return frame.line ? fmt::format("{}:{}", name, *frame.line) : name;
}

std::string sentence(const Stall &stall, const Said &said) {
	std::string text = fmt::format("blocked {}{}: ", format_duration(stall.duration_ns), stall.ongoing ? " (still)" : "");
	text += format_startup(stall);
	const std::string chain = held_up_by(stall, said.links);
	// "; in": the place is the loop's, not that of the last thread named.
	const std::string peer = chain.ends_with("…") ? std::string() : format_peer_activity(stall, said.peers);
	const std::string place = in_culprit(stall, said);
	text += chain.empty() ? what(stall) + peer + (peer.empty() || !has_place(stall) ? "" : ";") + place + gil_end(stall)
	                      : chain + peer + (has_place(stall) ? ";" : "") + place;
	if (stall.cause != Cause::runqueue) {
		text += throttled(stall);
	}
	text += format_garbage(stall) + format_takers(stall) + format_no_end(stall, said.no_end);
	if (said.clients && stall.clients && (stall.ongoing || stall.goes_on)) {
		text += "; " + format_clients(*stall.clients);
	}
	// Names come from the target: none of them may break the line or drive a terminal.
	return printable(text, text.size());
}

// What the lines below a headline show, too, goes first; the loop's own line stays. False: nothing more can go.
bool say_less(Said &said) {
	constexpr std::size_t some = 3; // longer chains than that never fit
	if (said.numbered_task) {
		said.numbered_task = false;
	} else if (said.clients) {
		said.clients = false;
	} else if (said.peers > 0) {
		said.peers = std::min(said.peers - 1, some);
	} else if (said.links > 1) {
		said.links = std::min(said.links - 1, some);
	} else if (said.task) {
		said.task = false;
	} else if (said.no_end == Length::full) {
		said.no_end = Length::brief;
	} else {
		return false;
	}
	return true;
}

// Words around the loop's own line go, never that.
std::string shorten_around_place(const Stall &stall, const std::string &text, std::size_t columns) {
	std::string shorter = shorten(text, columns);
	if (!stall.culprit || shorter.find(short_place(*stall.culprit)) != std::string::npos) {
		return shorter;
	}
	const std::string place = "in " + printable(format_source(*stall.culprit), text.size());
	const std::size_t begin = text.find(place);
	if (begin == std::string::npos) {
		return shorter;
	}
	constexpr std::size_t least_head = 24; // "blocked 41.0 s (still): "
	constexpr std::size_t dots = 4;        // " … "
	const std::string line = shorten(place, columns > 2 * least_head ? columns - least_head : columns);
	const std::string after = text.substr(begin + place.size());
	std::size_t left = columns - std::min(columns, columns_of(line) + dots);
	const bool with_end = columns_of(after) + least_head <= left;
	left -= with_end ? columns_of(after) : 0;
	std::string head(cut_to_columns(text.substr(0, begin), left));
	if (head.size() < begin) {
		head.erase(std::min(head.rfind(' '), head.size()));
		head += " … ";
	}
	return head + line + (with_end ? after : std::string());
}

std::string whole_headline(const Stall &stall) {
	const std::string blocked = fmt::format("blocked {}{}", format_duration(stall.duration_ns), stall.ongoing ? " (still)" : "");
	std::string text;
	if (stall.summary.empty()) {
		text = fmt::format("{} {}", blocked, words_of(stall.cause));
		if (const Wait *wait = analysis::main_wait(stall); wait != nullptr && wait->cause == stall.cause && wait->resource) {
			text += ": " + format_resource(*wait->resource);
		}
	} else {
		text = printable(stall.summary, 4 * shown_path_bytes);
		if (!text.starts_with("blocked")) {
			text.insert(0, blocked + ": ");
		}
	}
	if (stall.culprit && text.find(short_place(*stall.culprit)) == std::string::npos) {
		text += ", in " + format_frame(*stall.culprit);
	} else if (stall.summary.empty() && !stall.culprit) {
		const std::string at = format_where(stall);
		text += at.empty() ? at : ", in " + at;
	}
	return text;
}

} // namespace

void summarize(Stall &stall) {
	stall.summary = sentence(stall, {});
	stall.advice = garbage_advice(stall);
	if (!stall.advice) {
		stall.advice = advice_for(stall);
	}
}

std::string format_finding(const Stall &stall) {
	const std::string callbacks = format_callbacks(stall);
	return (callbacks.empty() ? callbacks : "," + callbacks) + gil_end(stall) + throttled(stall);
}

Headline format_headline(const Stall &stall, std::size_t columns) {
	Headline headline{whole_headline(stall), true};
	Said said;
	while (!stall.summary.empty() && !fits_with_short_names(headline.text, columns) && say_less(said)) {
		headline = {sentence(stall, said), false};
	}
	headline.text = shorten_around_place(stall, headline.text, columns);
	return headline;
}

} // namespace loopsnoop::summary

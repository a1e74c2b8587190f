// SPDX-License-Identifier: Apache-2.0
#include "output/chain_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "analysis/culprit.h"
#include "analysis/wait_graph.h"
#include "base/escape.h"
#include "summary/number.h"
#include "summary/peer.h"
#include "summary/place.h"
#include "summary/resource.h"
#include "summary/wait_chain.h"

namespace loopsnoop::output {

namespace {

constexpr std::size_t max_links = 24; // of a chain, a line each

// The loop thread is not among the threads of its stall: made of what the stall says of it elsewhere.
ThreadView own_thread(const Stall &stall) {
	ThreadView self;
	self.tid = stall.tid;
	self.thread = stall.thread;
	if (const Wait *wait = analysis::main_wait(stall); wait != nullptr && wait->ongoing) {
		self.cause = wait->cause;
		self.syscall = wait->syscall;
		self.resource = wait->resource;
		self.stack = wait->stack;
	} else {
		self.state = ThreadView::State::running;
	}
	return self;
}

} // namespace

std::string chain_lines(const std::vector<const ThreadView *> &links, std::string_view indent) {
	if (links.empty() || analysis::held_lock(*links.front()) == nullptr) {
		return {};
	}
	std::string out;
	std::string inner(indent);
	for (std::size_t i = 0; i < links.size(); i++) {
		if (i == max_links) {
			return out + fmt::format("{}… {}\n", inner, summary::plural(links.size() - i, "more thread"));
		}
		const ThreadView &link = *links[i];
		const FutexResource *lock = analysis::held_lock(link);
		const std::string who = printable(summary::format_thread(link) + summary::format_at(link), shown_path_bytes);
		const std::string does =
		    printable(lock != nullptr ? summary::format_held_by(*lock, summary::Addresses::with) : summary::format_activity(link),
		              shown_path_bytes);
		out += fmt::format("{}{}{} {}\n", inner, who, i == 0 ? "" : ", which", does);
		inner += "  ";
	}
	// The last one may wait for one further up, or for a thread that is not here.
	if (const FutexResource *lock = analysis::held_lock(*links.back())) {
		const Holder &holder = *lock->holder;
		const bool circle =
		    std::any_of(links.begin(), links.end(), [&](const ThreadView *link) { return link->tid == holder.tid; });
		out += fmt::format("{}{}{}\n", inner, printable(summary::format_thread(holder.thread, holder.tid)),
		                   circle ? ", see above" : summary::no_thread_here);
	}
	return out;
}

namespace {

// What the processes do that the last thread waits for, a line each.
std::string peer_lines(const Stall &stall, std::size_t threads) {
	std::string out;
	std::string indent(4 + 2 * std::min(threads, max_links), ' ');
	for (const summary::PeerLink &link : summary::peer_chain(stall)) {
		if (link.activity.empty()) {
			break; // named where it is waited for
		}
		out += fmt::format("{}{}{}\n", indent, link.inferred ? "probably " : "",
		                   printable(link.who + link.activity, shown_path_bytes));
		indent += "  ";
	}
	return out;
}

} // namespace

std::string deadlock_section(const std::vector<std::uint32_t> &circle, const std::vector<ThreadView> &threads,
                             const ThreadView *also, const Palette &palette) {
	if (circle.empty()) {
		return {};
	}
	std::string arrows;
	for (const std::uint32_t tid : circle) {
		const auto known = std::find_if(threads.begin(), threads.end(), [&](const ThreadView &one) { return one.tid == tid; });
		const ThreadView *thread = known != threads.end() ? &*known : also != nullptr && also->tid == tid ? also : nullptr;
		arrows += fmt::format("{}{} → ", tid, thread != nullptr ? " (" + printable(thread->thread) + ")" : "");
	}
	return "  " + palette.alarm(fmt::format("deadlock: {}{}", arrows, circle.front())) + '\n' +
	       chain_lines(analysis::WaitGraph(threads, also).chain(circle.front()), "    ");
}

std::string chain_section(const Stall &stall, const StallStyle &style) {
	if (!stall.threads) {
		return {};
	}
	const ThreadView self = own_thread(stall);
	const bool in_deadlock =
	    stall.deadlock && std::find(stall.deadlock->begin(), stall.deadlock->end(), stall.tid) != stall.deadlock->end();
	std::string out;
	if (!in_deadlock) {
		const std::vector<const ThreadView *> threads = analysis::WaitGraph(*stall.threads, &self).chain(stall.tid);
		const std::string chain = chain_lines(threads, "    ");
		// What one process does is in the headline, unless there was no room for it.
		const bool processes = !chain.empty() || !stall.beyond.empty() || !style.after_headline;
		const std::string peers = processes ? peer_lines(stall, chain.empty() ? 0 : threads.size()) : std::string();
		out += chain.empty() && peers.empty() ? chain : "  who holds it up\n" + chain + peers;
	}
	return stall.deadlock ? out + deadlock_section(*stall.deadlock, *stall.threads, &self, style.palette) : out;
}

} // namespace loopsnoop::output

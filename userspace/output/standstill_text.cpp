// SPDX-License-Identifier: Apache-2.0
#include "output/standstill_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "base/duration.h"
#include "base/escape.h"
#include "output/stack_text.h"
#include "summary/number.h"
#include "summary/place.h"
#include "summary/resource.h"
#include "summary/task_wait.h"

namespace loopsnoop::output {

namespace {

constexpr std::size_t max_groups = 6; // shown unless everything is
constexpr std::size_t max_clients = 3;
constexpr std::size_t max_upstreams = 3;

std::string more_line(std::size_t shown, std::size_t all, const StallStyle &style) {
	return shown < all ? style.palette.faint(fmt::format("    … {} more (-v shows all)", all - shown)) + '\n' : std::string();
}

std::string group_lines(const TaskGroup &group, std::span<const ThreadView> threads, const StallStyle &style) {
	std::string line = fmt::format("    {}", summary::plural(group.count, "task"));
	if (group.culprit) {
		line += " in " + summary::format_frame(*group.culprit);
	} else if (!group.stack.empty()) {
		line += " in " + summary::format_frame(group.stack.front());
	}
	if (group.waits_for) {
		const WaitsFor &what = *group.waits_for;
		line += ": waits for " + printable(summary::format_waits_for(what), shown_path_bytes);
		if (what.ends_in_ns && what.kind != WaitsForKind::sleep) {
			line += *what.ends_in_ns > 0
			            ? fmt::format(", at most {} more", format_duration(static_cast<std::uint64_t>(*what.ends_in_ns)))
			            : ", its time-out is over";
		}
		if (const std::string workers = what.executor ? summary::format_executor(*what.executor, threads) : "";
		    !workers.empty()) {
			line += "; " + printable(workers, shown_path_bytes * 2);
		}
		for (const TaskHolder &holder : what.holders) {
			line += fmt::format(", probably held by {}", printable(holder.name));
			if (holder.culprit) {
				line += " at " + summary::format_frame(*holder.culprit);
			}
			if (!style.everything) {
				line += what.holders.size() > 1 ? fmt::format(" and {} more", what.holders.size() - 1) : "";
				break;
			}
		}
	}
	if (group.waited_ns) {
		line += fmt::format(", for {} or more", format_duration(*group.waited_ns));
	}
	line += '\n';
	if (style.everything) {
		Stack stack;
		stack.python = group.stack;
		line += stack_lines(stack, StackStyle{style.palette, true, "      "});
		std::string names;
		for (const std::string &name : group.names) {
			names += (names.empty() ? "" : ", ") + printable(name);
		}
		line += style.palette.faint(fmt::format("      {}{}", names, group.count > group.names.size() ? ", …" : "")) + '\n';
	}
	return line;
}

std::string task_section(const Standstill &standstill, const StallStyle &style) {
	if (standstill.tasks.empty()) {
		return {};
	}
	std::string out = "  tasks of this loop\n";
	const std::size_t shown = style.everything ? standstill.tasks.size() : std::min(standstill.tasks.size(), max_groups);
	for (std::size_t i = 0; i < shown; i++) {
		const auto threads = standstill.threads ? std::span(*standstill.threads) : std::span<const ThreadView>();
		out += group_lines(standstill.tasks.at(i), threads, style);
	}
	return out + more_line(shown, standstill.tasks.size(), style);
}

std::string client_section(const Standstill &standstill, const StallStyle &style) {
	const auto &clients = standstill.clients.connections;
	if (clients.empty()) {
		return {};
	}
	std::string out = "  customers, the oldest first\n";
	const std::size_t shown = style.everything ? clients.size() : std::min(clients.size(), max_clients);
	for (std::size_t i = 0; i < shown; i++) {
		const WaitingClient &client = clients.at(i);
		out += fmt::format("    {} to {}: has waited for {}{}{}\n", printable(client.remote), printable(client.local),
		                   format_duration(client.waited_ns), client.accepted ? "" : ", not accepted yet",
		                   client.unread_bytes > 0 && client.accepted
		                       ? fmt::format(", {} not read", summary::plural(client.unread_bytes, "byte"))
		                       : "");
	}
	return out + more_line(shown, clients.size(), style);
}

std::string upstream_section(const Standstill &standstill, const StallStyle &style) {
	if (standstill.upstream.empty()) {
		return {};
	}
	std::string out = "  this process waits for\n";
	const std::size_t shown = style.everything ? standstill.upstream.size() : std::min(standstill.upstream.size(), max_upstreams);
	for (std::size_t i = 0; i < shown; i++) {
		const SilentUpstream &upstream = standstill.upstream.at(i);
		out += fmt::format("    {}{}: {} for {}\n", printable(upstream.remote),
		                   printable(summary::format_peer(" of ", upstream.peer)),
		                   upstream.connecting ? "not connected" : "silent", format_duration(upstream.waited_ns));
	}
	return out + more_line(shown, standstill.upstream.size(), style);
}

std::string ready_section(const Standstill &standstill) {
	std::string out;
	if (!standstill.ready || standstill.ready->callbacks.empty()) {
		return out;
	}
	out = "  callbacks that are queued\n";
	for (const ReadyCallback &one : standstill.ready->callbacks) {
		out += fmt::format("    {}{}\n", one.task ? "step of a task in " : "",
		                   one.callback ? summary::format_frame(*one.callback) : std::string("not known"));
	}
	return out;
}

} // namespace

std::string standstill_details(const Standstill &standstill, const StallStyle &style) {
	std::string out;
	if (standstill.advice) {
		out += "  " + style.palette.good("advice: " + printable(*standstill.advice, shown_path_bytes * 2)) + '\n';
	}
	out += ready_section(standstill);
	out += task_section(standstill, style);
	out += client_section(standstill, style);
	out += upstream_section(standstill, style);
	if (standstill.threads) {
		out += thread_section(*standstill.threads, style);
	}
	return out;
}

} // namespace loopsnoop::output

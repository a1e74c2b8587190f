// SPDX-License-Identifier: Apache-2.0
#include "summary/restarts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/duration.h"
#include "summary/place.h"

namespace loopsnoop::summary {

namespace {

std::string times(std::uint64_t count, std::uint64_t all) {
	return count == all ? (all > 1 ? "each time" : "") : fmt::format("{} times", count);
}

std::string range(std::uint64_t shortest_ns, std::uint64_t longest_ns) {
	const std::string from = format_duration(shortest_ns);
	const std::string to = format_duration(longest_ns);
	return from == to ? to : from + " to " + to;
}

std::string format_served(const Restarts &restarts) {
	if (!restarts.served.empty()) {
		std::string text = fmt::format("{} of them served:", restarts.served.size());
		constexpr std::size_t max_named = 8;
		for (std::size_t i = 0; i < std::min(restarts.served.size(), max_named); i++) {
			text += fmt::format("{} pid {}", i > 0 ? "," : "", restarts.served[i]);
		}
		return text + (restarts.served.size() > max_named ? ", …" : "");
	}
	if (restarts.came_to_loop > 0) {
		const std::string loops = fmt::format("{} of them came to an event loop", restarts.came_to_loop);
		return restarts.accepts_known ? "none of them served: " + loops + ", none accepted a connection" : loops;
	}
	return restarts.accepts_known ? "none of them served: none came to an event loop or accepted a connection"
	                              : "none came to an event loop";
}

} // namespace

std::vector<std::string> format_restarts(const Restarts &restarts) {
	const std::uint64_t all = restarts.workers.size();
	std::vector<std::string> sentences;
	sentences.push_back(fmt::format("{} workers of {} (pid {}) lived {}; {}", all,
	                                restarts.parent_comm.empty() ? "a process" : restarts.parent_comm, restarts.parent,
	                                range(restarts.shortest_ns, restarts.longest_ns), format_served(restarts)));
	std::string end;
	if (restarts.ended_by) {
		end = fmt::format("ended by {} of {} (pid {}) {}", restarts.ended_by->signal,
		                  restarts.ended_by->comm.empty() ? "a process" : restarts.ended_by->comm, restarts.ended_by->pid,
		                  times(restarts.ended_by_count, all));
	}
	if (!restarts.doing.empty()) {
		end += (end.empty() ? "at the end " : ", then ") + restarts.doing;
		if (restarts.culprit) {
			end += " in " + format_source(*restarts.culprit);
		}
		end += restarts.doing_count == all ? "" : fmt::format(" ({} of {})", restarts.doing_count, all);
	}
	if (!end.empty()) {
		sentences.push_back(std::move(end));
	}
	if (!restarts.file.empty()) {
		sentences.push_back(fmt::format(
		    "{} before the end {} had been opened for writing{}, {} before it at most", times(restarts.file_count, all),
		    restarts.file, restarts.file_by_worker ? " by the worker itself" : "", format_duration(restarts.file_before_ns)));
	}
	return sentences;
}

} // namespace loopsnoop::summary

// SPDX-License-Identifier: Apache-2.0
#include "analysis/restarts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <tuple>
#include <utility>

#include "base/duration.h"

namespace loopsnoop::analysis {

namespace {

// Workers of one kind differ in descriptors and ports that are handed to them.
std::string without_numbers(std::string_view command) {
	std::string text;
	for (const char c : command) {
		if (std::isdigit(static_cast<unsigned char>(c)) == 0) {
			text += c;
		}
	}
	return text;
}

struct WriteSeen {
	std::uint64_t before_ns = 0;
	bool by_itself = false;
};

// The last write of each telling file during a life, by whichever of the followed processes.
std::map<std::string, WriteSeen> writes_during(const ProcessLife &life, const std::vector<ProcessLife> &all) {
	std::map<std::string, WriteSeen> seen;
	const std::uint64_t end_ns = life.start_ns + life.lived_ns;
	for (const ProcessLife &writer : all) {
		for (const ProcessLife::Write &write : writer.writes) {
			if (write.time_ns < life.start_ns || write.time_ns > end_ns || !is_telling_file(write.path)) {
				continue;
			}
			const WriteSeen now{end_ns - write.time_ns, writer.pid == life.pid};
			const auto known = seen.find(write.path);
			if (known == seen.end() || now.before_ns < known->second.before_ns) {
				seen[write.path] = now;
			}
		}
	}
	return seen;
}

void tell_file(Restarts &told, const std::vector<const ProcessLife *> &workers, const std::vector<ProcessLife> &all) {
	struct Sum {
		std::uint64_t count = 0;
		std::uint64_t by_itself = 0;
		std::uint64_t longest_ns = 0;
	};
	std::map<std::string, Sum> sums;
	for (const ProcessLife *worker : workers) {
		for (const auto &[path, seen] : writes_during(*worker, all)) {
			Sum &sum = sums[path];
			sum.count++;
			sum.by_itself += seen.by_itself ? 1 : 0;
			sum.longest_ns = std::max(sum.longest_ns, seen.before_ns);
		}
	}
	// Before most ends; of several such files the one that came closest to them.
	const auto best = std::ranges::max_element(sums, [](const auto &a, const auto &b) {
		return std::pair(a.second.count, b.second.longest_ns) < std::pair(b.second.count, a.second.longest_ns);
	});
	if (best == sums.end() || best->second.count * 2 <= workers.size()) {
		return;
	}
	told.file = best->first;
	told.file_count = best->second.count;
	told.file_by_worker = best->second.by_itself == best->second.count;
	told.file_before_ns = best->second.longest_ns;
}

void tell_ends(Restarts &told, const std::vector<const ProcessLife *> &workers) {
	std::map<std::tuple<std::string, std::uint32_t>, std::uint64_t> by;
	std::map<std::tuple<std::string, std::string, int>, std::uint64_t> doing;
	for (const ProcessLife *worker : workers) {
		if (worker->ended_by) {
			const std::uint64_t count = ++by[{worker->ended_by->signal, worker->ended_by->pid}];
			if (count > told.ended_by_count) {
				told.ended_by = worker->ended_by;
				told.ended_by_count = count;
			}
		}
		if (!worker->doing.empty()) {
			const auto line = worker->culprit.value_or(SourceFrame{});
			// What was asked for differs a little each time ("sleeping (2.49 s asked for)").
			const std::uint64_t count = ++doing[{without_numbers(worker->doing), line.file, line.line.value_or(0)}];
			if (count > told.doing_count) {
				told.doing = worker->doing;
				told.culprit = worker->culprit;
				told.doing_count = count;
			}
		}
	}
}

std::string times(std::uint64_t count, std::uint64_t all) {
	return count == all ? (all > 1 ? "each time" : "") : fmt::format("{} times", count);
}

std::string range(std::uint64_t shortest_ns, std::uint64_t longest_ns) {
	const std::string from = format_duration(shortest_ns);
	const std::string to = format_duration(longest_ns);
	return from == to ? to : from + " to " + to;
}

std::string served_words(const Restarts &restarts) {
	if (!restarts.served.empty()) {
		std::string text = fmt::format("{} of them served:", restarts.served.size());
		constexpr std::size_t most = 8;
		for (std::size_t i = 0; i < std::min(restarts.served.size(), most); i++) {
			text += fmt::format("{} pid {}", i > 0 ? "," : "", restarts.served[i]);
		}
		return text + (restarts.served.size() > most ? ", …" : "");
	}
	if (restarts.came_to_loop > 0) {
		const std::string loops = fmt::format("{} of them came to an event loop", restarts.came_to_loop);
		return restarts.accepts_known ? "none of them served: " + loops + ", none accepted a connection" : loops;
	}
	return restarts.accepts_known ? "none of them served: none came to an event loop or accepted a connection"
	                              : "none came to an event loop";
}

} // namespace

bool is_telling_file(std::string_view path) {
	for (const std::string_view start : {"/dev/", "/proc/", "/sys/"}) {
		if (path.starts_with(start)) {
			return false;
		}
	}
	return !path.empty() && path.find("__pycache__") == std::string_view::npos && !path.ends_with(".pyc");
}

std::vector<Restarts> find_restarts(const std::vector<ProcessLife> &lives) {
	std::map<std::pair<std::uint32_t, std::string>, std::vector<const ProcessLife *>> groups;
	for (const ProcessLife &life : lives) {
		if (life.ended && life.parent) {
			groups[{*life.parent, without_numbers(life.command.empty() ? life.comm : life.command)}].push_back(&life);
		}
	}
	std::vector<Restarts> all;
	for (auto &[key, workers] : groups) {
		if (workers.size() < 2) {
			continue;
		}
		std::ranges::stable_sort(workers, {}, &ProcessLife::start_ns);
		Restarts told;
		told.parent = key.first;
		const auto parent = std::ranges::find(lives, key.first, &ProcessLife::pid);
		told.parent_comm = parent != lives.end() ? parent->comm : std::string();
		told.shortest_ns = ~0ULL;
		for (const ProcessLife *worker : workers) {
			told.workers.push_back(worker->pid);
			told.shortest_ns = std::min(told.shortest_ns, worker->lived_ns);
			told.longest_ns = std::max(told.longest_ns, worker->lived_ns);
			told.came_to_loop += worker->came_to_loop ? 1 : 0;
			told.accepts_known = told.accepts_known || worker->accepted.has_value();
			if (worker->accepted.value_or(0) > 0) {
				told.served.push_back(worker->pid);
			}
		}
		tell_ends(told, workers);
		tell_file(told, workers, lives);
		all.push_back(std::move(told));
	}
	return all;
}

std::vector<std::string> restart_words(const Restarts &restarts) {
	const std::uint64_t all = restarts.workers.size();
	std::vector<std::string> sentences;
	sentences.push_back(fmt::format("{} workers of {} (pid {}) lived {}; {}", all,
	                                restarts.parent_comm.empty() ? "a process" : restarts.parent_comm, restarts.parent,
	                                range(restarts.shortest_ns, restarts.longest_ns), served_words(restarts)));
	std::string end;
	if (restarts.ended_by) {
		end = fmt::format("ended by {} of {} (pid {}) {}", restarts.ended_by->signal,
		                  restarts.ended_by->comm.empty() ? "a process" : restarts.ended_by->comm, restarts.ended_by->pid,
		                  times(restarts.ended_by_count, all));
	}
	if (!restarts.doing.empty()) {
		end += (end.empty() ? "at the end " : ", then ") + restarts.doing;
		if (restarts.culprit) {
			end += fmt::format(" in {} ({}{})", restarts.culprit->function, restarts.culprit->file,
			                   restarts.culprit->line ? fmt::format(":{}", *restarts.culprit->line) : "");
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

} // namespace loopsnoop::analysis

// SPDX-License-Identifier: Apache-2.0
#include "analysis/restarts.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <tuple>
#include <utility>

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

// The last write of each notable file during a life, by whichever of the followed processes.
std::map<std::string, WriteSeen> writes_during(const ProcessLife &life, const std::vector<ProcessLife> &all) {
	std::map<std::string, WriteSeen> seen;
	const std::uint64_t end_ns = life.start_ns + life.lived_ns;
	for (const ProcessLife &writer : all) {
		for (const ProcessLife::Write &write : writer.writes) {
			if (write.time_ns < life.start_ns || write.time_ns > end_ns || !is_notable_file(write.path)) {
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

void note_file(Restarts &restarts, const std::vector<const ProcessLife *> &workers, const std::vector<ProcessLife> &all) {
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
	restarts.file = best->first;
	restarts.file_count = best->second.count;
	restarts.file_by_worker = best->second.by_itself == best->second.count;
	restarts.file_before_ns = best->second.longest_ns;
}

// What most workers did when they ended, and where most of those did it of whom that is known: the names of a process's code may
// go with it before they are read.
void note_doing(Restarts &restarts, const std::vector<const ProcessLife *> &workers) {
	struct Place {
		std::uint64_t count = 0;
		const ProcessLife *last = nullptr;
	};
	struct Doing {
		std::uint64_t count = 0;
		std::uint64_t known = 0; // of how many the place is
		std::map<std::pair<std::string, int>, Place> places;
	};
	std::map<std::string, Doing> all;
	for (const ProcessLife *worker : workers) {
		if (!worker->doing.empty()) {
			// What was asked for differs a little each time ("sleeping (2.49 s asked for)").
			Doing &doing = all[without_numbers(worker->doing)];
			const auto line = worker->culprit.value_or(SourceFrame{});
			Place &place = doing.places[{line.file, line.line.value_or(0)}];
			place.count++;
			place.last = worker;
			doing.count++;
			doing.known += worker->culprit ? 1 : 0;
		}
	}
	for (const auto &[words, doing] : all) {
		const Place *most = nullptr;
		for (const auto &[line, place] : doing.places) {
			const bool wanted = doing.known == 0 || place.last->culprit;
			most = wanted && (most == nullptr || place.count > most->count) ? &place : most;
		}
		const std::uint64_t count = most->count + doing.count - std::max(doing.known, most->count);
		if (count > restarts.doing_count) {
			restarts.doing = most->last->doing;
			restarts.culprit = most->last->culprit;
			restarts.doing_count = count;
		}
	}
}

void note_ends(Restarts &restarts, const std::vector<const ProcessLife *> &workers) {
	std::map<std::tuple<std::string, std::uint32_t>, std::uint64_t> by;
	for (const ProcessLife *worker : workers) {
		if (worker->ended_by) {
			const std::uint64_t count = ++by[{worker->ended_by->signal, worker->ended_by->pid}];
			if (count > restarts.ended_by_count) {
				restarts.ended_by = worker->ended_by;
				restarts.ended_by_count = count;
			}
		}
	}
	note_doing(restarts, workers);
}

} // namespace

bool is_notable_file(std::string_view path) {
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
		Restarts restarts;
		restarts.parent = key.first;
		const auto parent = std::ranges::find(lives, key.first, &ProcessLife::pid);
		restarts.parent_comm = parent != lives.end() ? parent->comm : std::string();
		restarts.shortest_ns = ~0ULL;
		for (const ProcessLife *worker : workers) {
			restarts.workers.push_back(worker->pid);
			restarts.shortest_ns = std::min(restarts.shortest_ns, worker->lived_ns);
			restarts.longest_ns = std::max(restarts.longest_ns, worker->lived_ns);
			restarts.came_to_loop += worker->came_to_loop ? 1 : 0;
			restarts.accepts_known = restarts.accepts_known || worker->accepted.has_value();
			if (worker->accepted.value_or(0) > 0) {
				restarts.served.push_back(worker->pid);
			}
		}
		note_ends(restarts, workers);
		note_file(restarts, workers, lives);
		all.push_back(std::move(restarts));
	}
	return all;
}

} // namespace loopsnoop::analysis

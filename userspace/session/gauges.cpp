// SPDX-License-Identifier: Apache-2.0
#include "session/gauges.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <tuple>

#include "analysis/standstill.h"
#include "process/pseudo_file.h"
#include "process/text.h"

namespace loopsnoop::session {

namespace {

constexpr std::size_t max_places = 5;

// "SIZE RESIDENT …" in pages.
std::optional<std::uint64_t> resident_bytes(const process::ProcFs &proc, std::uint32_t pid) {
	constexpr std::size_t enough = 256;
	const auto text = process::read_pseudo_file(proc.path_of(pid, "statm"), enough);
	const auto pages = text ? process::parse_number<std::uint64_t>(process::Words(*text).skip_and_next(1)) : std::nullopt;
	return pages ? std::optional(*pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))) : std::nullopt;
}

std::optional<std::uint64_t> count_descriptors(const process::ProcFs &proc, std::uint32_t pid) {
	std::uint64_t count = 0;
	const bool readable = process::each_number(proc.path_of(pid, "fd"), [&](std::uint32_t) {
		count++;
		return true;
	});
	return readable ? std::optional(count) : std::nullopt;
}

bool grew(const std::optional<std::uint64_t> &first, const std::optional<std::uint64_t> &last, std::uint64_t least) {
	return first && last && *last >= 2 * *first && *last - *first >= least;
}

} // namespace

std::vector<TaskPlace> busiest_places(const TaskLoop &loop) {
	struct Counted {
		TaskPlace place;
		bool of_application = false;
	};
	std::map<std::tuple<std::string, int, std::string>, Counted> places;
	for (const Task &task : loop.tasks) {
		const SourceFrame *line = task.culprit ? &*task.culprit : task.stack.empty() ? nullptr : &task.stack.front();
		if (line != nullptr && task.state == TaskState::pending) {
			Counted &counted = places[{line->file, line->line.value_or(0), line->function}];
			counted.place.line = *line;
			counted.place.count++;
			counted.of_application = task.culprit.has_value();
		}
	}
	std::vector<const Counted *> sorted;
	for (const auto &[key, counted] : places) {
		sorted.push_back(&counted);
	}
	// Lines of the application first: each request may have a task or two in its server's code as well.
	std::ranges::stable_sort(sorted, std::greater(),
	                         [](const Counted *one) { return std::pair(one->of_application, one->place.count); });
	std::vector<TaskPlace> out;
	for (std::size_t i = 0; i < std::min(sorted.size(), max_places); i++) {
		out.push_back(sorted[i]->place);
	}
	return out;
}

void Gauges::take(const Seen &seen) {
	ProcessGauges now;
	const auto known = kept_.find({seen.pid, seen.tid});
	if (known != kept_.end()) {
		now = known->second.last;
	}
	now.pid = seen.pid;
	now.tid = seen.tid;
	now.time_ns = seen.now_ns;
	if (seen.connections != nullptr) {
		const Clients clients = analysis::count_clients(*seen.connections);
		now.unanswered = clients.unanswered;
		now.oldest_unanswered_ns = clients.oldest_ns;
		now.not_accepted = clients.not_accepted;
		now.inbound = seen.connections->inbound;
		now.outbound = seen.connections->outbound;
		now.inbound_from = seen.connections->inbound_from;
		now.outbound_to = seen.connections->outbound_to;
	}
	if (seen.tasks != nullptr) {
		now.tasks = seen.tasks->tasks.size();
		now.places = busiest_places(*seen.tasks);
	}
	if (seen.files) {
		now.resident_bytes = resident_bytes(proc_, seen.pid);
		now.descriptors = count_descriptors(proc_, seen.pid);
		const auto status = proc_.status(seen.pid);
		now.threads = status ? std::optional<std::uint64_t>(status->threads) : std::nullopt;
	}
	if (known == kept_.end()) {
		kept_.emplace(std::pair(seen.pid, seen.tid), Kept{now, now});
		return;
	}
	ProcessGauges &first = known->second.first;
	first.tasks = first.tasks ? first.tasks : now.tasks;
	first.inbound = first.inbound ? first.inbound : now.inbound;
	first.outbound = first.outbound ? first.outbound : now.outbound;
	known->second.last = std::move(now);
}

std::vector<ProcessGauges> Gauges::current() const {
	std::vector<ProcessGauges> all;
	for (const auto &[id, kept] : kept_) {
		all.push_back(kept.last);
	}
	return all;
}

std::vector<GaugesChange> Gauges::grown() const {
	constexpr std::uint64_t tasks = 20;
	constexpr std::uint64_t connections = 20;
	constexpr std::uint64_t descriptors = 50;
	constexpr std::uint64_t bytes = 100U << 20U;
	std::vector<GaugesChange> changes;
	for (const auto &[id, kept] : kept_) {
		const ProcessGauges &first = kept.first;
		const ProcessGauges &last = kept.last;
		if (grew(first.tasks, last.tasks, tasks) || grew(first.inbound, last.inbound, connections) ||
		    grew(first.outbound, last.outbound, connections) || grew(first.descriptors, last.descriptors, descriptors) ||
		    grew(first.resident_bytes, last.resident_bytes, bytes)) {
			changes.push_back({{}, first, last});
		}
	}
	return changes;
}

} // namespace loopsnoop::session

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
	std::map<std::tuple<std::string, int, std::string>, TaskPlace> places;
	for (const Task &task : loop.tasks) {
		const SourceFrame *line = task.culprit ? &*task.culprit : task.stack.empty() ? nullptr : &task.stack.front();
		if (line != nullptr && task.state == TaskState::pending) {
			TaskPlace &place = places[{line->file, line->line.value_or(0), line->function}];
			place.line = *line;
			place.count++;
		}
	}
	std::vector<TaskPlace> sorted;
	for (auto &[key, place] : places) {
		sorted.push_back(std::move(place));
	}
	std::ranges::stable_sort(sorted, std::greater(), &TaskPlace::count);
	sorted.resize(std::min(sorted.size(), max_places));
	return sorted;
}

void Gauges::take(const Look &look) {
	ProcessGauges now;
	const auto known = kept_.find({look.pid, look.tid});
	if (known != kept_.end()) {
		now = known->second.last;
	}
	now.pid = look.pid;
	now.tid = look.tid;
	now.time_ns = look.now_ns;
	if (look.connections != nullptr) {
		const Clients clients = analysis::count_clients(*look.connections);
		now.unanswered = clients.unanswered;
		now.oldest_unanswered_ns = clients.oldest_ns;
		now.inbound = look.connections->inbound;
		now.outbound = look.connections->outbound;
		now.outbound_to = look.connections->outbound_to;
	}
	if (look.tasks != nullptr) {
		now.tasks = look.tasks->tasks.size();
		now.places = busiest_places(*look.tasks);
	}
	if (look.files) {
		now.resident_bytes = resident_bytes(proc_, look.pid);
		now.descriptors = count_descriptors(proc_, look.pid);
		const auto status = proc_.status(look.pid);
		now.threads = status ? std::optional<std::uint64_t>(status->threads) : std::nullopt;
	}
	if (known == kept_.end()) {
		kept_.emplace(std::pair(look.pid, look.tid), Kept{now, now});
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

// SPDX-License-Identifier: Apache-2.0
#include "output/repeats.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "analysis/culprit.h"
#include "base/duration.h"
#include "base/escape.h"
#include "base/shorten.h"
#include "output/stall_text.h"
#include "summary/number.h"
#include "summary/place.h"
#include "summary/process.h"
#include "summary/resource.h"
#include "summary/stall_summary.h"

namespace loopsnoop::output {

namespace {

constexpr std::size_t max_columns = 180;

std::string short_words(const Stall &stall) {
	std::string text = summary::format_where(stall);
	text += fmt::format("{}{}", text.empty() ? "" : ", ", words_of(stall.cause));
	if (const Wait *wait = analysis::main_wait(stall); wait != nullptr && wait->cause == stall.cause && wait->resource) {
		text += ": " + summary::format_resource(*wait->resource);
	}
	return shorten(text + printable(summary::format_finding(stall), shown_path_bytes), max_columns);
}

} // namespace

std::pair<Repeats::Kind &, bool> Repeats::kind_of(const Stall &stall, std::uint64_t now_ns) {
	const std::string process = summary::format_process(stall.name, stall.comm);
	std::string key = (stall.name.service.empty() ? std::to_string(stall.pid) : process) + '|' + identity(stall);
	auto at = kinds_.find(key);
	const bool is_new = at == kinds_.end();
	if (is_new) {
		if (kinds_.size() >= max_kinds) {
			forget_oldest();
		}
		at = kinds_.emplace(std::move(key), Kind{}).first;
	}
	at->second.words = short_words(stall);
	at->second.process = process;
	at->second.pid = stall.pid;
	at->second.seen_ns = now_ns;
	return {at->second, is_new};
}

void Repeats::shown(const Stall &stall, std::uint64_t now_ns) { kind_of(stall, now_ns); }

bool Repeats::first_of_kind(const Stall &stall, std::uint64_t now_ns) {
	const auto [kind, is_new] = kind_of(stall, now_ns);
	if (is_new) {
		return true;
	}
	if (kind.count == 0) {
		kind.pids.clear();
		pending_++;
		kind.since_ns = stall.start_ns;
		kind.shortest_ns = stall.duration_ns;
		kind.longest_ns = 0;
		kind.total_ns = 0;
	}
	kind.count++;
	if (kind.pids.size() < max_pids) {
		kind.pids.insert(stall.pid);
	}
	kind.shortest_ns = std::min(kind.shortest_ns, stall.duration_ns);
	kind.longest_ns = std::max(kind.longest_ns, stall.duration_ns);
	kind.total_ns += stall.duration_ns;
	return false;
}

std::string Repeats::line_of(const Kind &kind, std::uint64_t now_ns) const {
	const std::uint64_t span = now_ns - std::min(kind.since_ns, now_ns);
	std::string text;
	if (kind.count == 1) {
		text = fmt::format("again, {}", format_duration(kind.longest_ns));
	} else {
		text = fmt::format("×{} in {}, {} each, {} in all", summary::thousands(kind.count), format_duration(span),
		                   summary::format_range(kind.shortest_ns, kind.longest_ns), format_duration(kind.total_ns));
	}
	if (kind.pids.size() > 1) {
		text += fmt::format(" in {}{} processes of {}", kind.pids.size(), kind.pids.size() == max_pids ? " or more" : "",
		                    kind.process);
	} else if (several_) {
		text = fmt::format("{} (pid {}) {}", kind.process, kind.pids.empty() ? kind.pid : *kind.pids.begin(), text);
	}
	return fmt::format("{}: {}", text, kind.words);
}

void Repeats::forget_oldest() {
	const auto oldest = std::min_element(kinds_.begin(), kinds_.end(),
	                                     [](const auto &a, const auto &b) { return a.second.seen_ns < b.second.seen_ns; });
	if (oldest->second.count > 0) {
		left_over_.push_back(line_of(oldest->second, oldest->second.seen_ns));
		pending_--;
	}
	kinds_.erase(oldest);
}

std::vector<std::string> Repeats::due(std::uint64_t now_ns, bool all) {
	std::vector<std::string> lines = std::exchange(left_over_, {});
	if (pending_ == 0) {
		return lines;
	}
	for (auto &[key, kind] : kinds_) {
		if (kind.count > 0 && (all || now_ns >= kind.since_ns + every_ns_)) {
			lines.push_back(line_of(kind, now_ns));
			kind.count = 0;
			pending_--;
		}
	}
	return lines;
}

} // namespace loopsnoop::output

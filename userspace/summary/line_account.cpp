// SPDX-License-Identifier: Apache-2.0
#include "summary/line_account.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "analysis/culprit.h"
#include "analysis/pool_wait.h"
#include "model/application.h"
#include "summary/limit.h"
#include "summary/place.h"
#include "summary/resource.h"

namespace loopsnoop::summary {

namespace {

SourceFrame line_of(const Stack &stack) {
	for (const std::vector<SourceFrame> *frames : {&stack.python, &stack.javascript}) {
		// Of a process that has ended the names cannot be read any more.
		const auto named = std::ranges::find_if(*frames, [](const SourceFrame &frame) { return !frame.file.empty(); });
		if (named == frames->end()) {
			if (!frames->empty()) {
				return {};
			}
			continue;
		}
		const auto culprit = analysis::culprit_of(stack);
		return culprit && !culprit->file.empty() ? *culprit : *named;
	}
	if (auto culprit = analysis::culprit_of(stack)) {
		return *culprit;
	}
	if (const std::string_view language = language_not_read(stack.native); !language.empty()) {
		return {format_unread(language), {}, std::nullopt};
	}
	const auto named = std::ranges::find_if(stack.native, [](const NativeFrame &frame) { return frame.function.has_value(); });
	return named == stack.native.end()
	           ? SourceFrame{}
	           : SourceFrame{*named->function, named->file.value_or(named->module.value_or("")), named->line};
}

// Threads of a pool count as one: nobody distinguishes "ThreadPoolExecutor-0_3" from "…_4".
std::string without_number(std::string name) {
	const std::size_t end = name.find_last_not_of("0123456789");
	if (end != std::string::npos && end + 1 < name.size()) {
		name.resize(end + 1);
		name += "…";
	}
	return name.empty() ? "a thread" : name;
}

std::string gil_holder(const GilStory &gil) {
	return gil.holders.empty()
	           ? "the GIL"
	           : "the GIL, held by " + without_number(gil.holders.front().thread) + format_at(gil.holders.front().stack);
}

std::string lock_holder(const Resource &resource) {
	const auto *lock = std::get_if<FutexResource>(&resource.is);
	return lock != nullptr && lock->holder && lock->lock != LockKind::gil ? ", held by " + without_number(lock->holder->thread)
	                                                                      : "";
}

std::string throttled_by(const Stall &stall) {
	if (!stall.limit || !stall.limit->cpu_quota_ns) {
		return stall.throttled_ns.value_or(0) * 2 > stall.duration_ns ? "a CPU limit of its cgroup" : "";
	}
	return fmt::format("CPU limit of cgroup {}: {}", stall.limit->path, format_limit(*stall.limit));
}

} // namespace

LineTotals *LineAccount::at(const SourceFrame &line, Cause cause, const std::string &on) {
	Key key{line.file, line.function, line.line.value_or(0), cause, on};
	if (lines_.size() >= max_lines && !lines_.contains(key)) {
		return nullptr;
	}
	LineTotals &totals = lines_[std::move(key)];
	totals.line = line;
	totals.cause = cause;
	totals.on = on;
	return &totals;
}

void LineAccount::add(const Stall &stall) {
	std::map<LineTotals *, std::uint64_t> parts;
	const auto book = [&](const SourceFrame &line, Cause cause, const std::string &on, std::uint64_t count, std::uint64_t ns) {
		if (LineTotals *totals = at(line, cause, on); totals != nullptr) {
			totals->count += count;
			totals->ns += ns;
			parts[totals] += ns;
		}
	};
	std::uint64_t explained = 0;
	for (const Wait &wait : stall.waits) {
		if (wait.stack && wait.cause != Cause::runqueue) {
			const std::string_view pool = analysis::pool_of(*wait.stack);
			const std::string on = wait.cause == Cause::gil && stall.gil ? gil_holder(*stall.gil)
			                       : wait.resource ? format_target(*wait.resource) + lock_holder(*wait.resource)
			                                       : std::string();
			book(line_of(*wait.stack), wait.cause, pool.empty() ? on : std::string(pool), wait.count, wait.duration_ns);
			explained += wait.duration_ns;
		}
	}
	for (const CpuPart &part : stall.cpu) {
		book(line_of(part.stack), Cause::cpu, {}, part.samples, part.ns);
		explained += part.ns;
	}
	if (explained * 2 < stall.duration_ns) {
		const std::string on = stall.cause == Cause::gil && stall.gil ? gil_holder(*stall.gil) : throttled_by(stall);
		book(stall.culprit.value_or(SourceFrame{}), stall.cause, on, 1, stall.duration_ns - explained);
	}
	for (const auto &[totals, ns] : parts) {
		totals->stalls++;
		totals->longest_ns = std::max(totals->longest_ns, ns);
	}
}

std::vector<LineTotals> LineAccount::lines(std::size_t max) const {
	std::vector<LineTotals> all;
	all.reserve(lines_.size());
	for (const auto &[key, totals] : lines_) {
		all.push_back(totals);
	}
	std::stable_sort(all.begin(), all.end(), [](const LineTotals &a, const LineTotals &b) { return a.ns > b.ns; });
	if (all.size() > max) {
		all.resize(max);
	}
	return all;
}

} // namespace loopsnoop::summary

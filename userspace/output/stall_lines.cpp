// SPDX-License-Identifier: Apache-2.0
#include "output/stall_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/duration.h"
#include "base/shorten.h"
#include "output/stall_text.h"
#include "summary/ending.h"
#include "summary/number.h"
#include "summary/place.h"
#include "summary/process.h"
#include "summary/stall_summary.h"

namespace loopsnoop::output {

namespace {

std::string name_and_identity(const Stall &stall) { return stall.name.service + '|' + identity(stall); }

// "uvicorn shop:app, in page (app.py:12)"
std::string format_same(const Stall &stall) {
	const std::string where = summary::format_where(stall);
	return summary::format_process(stall.name, stall.comm) + (where.empty() ? where : ", in " + shorten(where, 100));
}

// What is kept of a stall between its records.
Stall without_stacks(const Stall &stall) {
	Stall kept;
	kept.id = stall.id;
	kept.start_ns = stall.start_ns;
	kept.duration_ns = stall.duration_ns;
	kept.pid = stall.pid;
	kept.tid = stall.tid;
	kept.cause = stall.cause;
	kept.culprit = stall.culprit;
	kept.comm = stall.comm;
	kept.name = stall.name;
	return kept;
}

} // namespace

void StallLines::add(const Stall &stall) {
	const auto known = ongoing_.find(stall.id);
	const std::string own = stall.ongoing || known != ongoing_.end() ? identity(stall) : std::string();
	bool folded = known != ongoing_.end() && known->second.folded && known->second.identity == own;
	if (known == ongoing_.end()) {
		if (stall.ongoing) { // a hang is shown at once and in full, however often it happened before
			repeats_.shown(stall, lines_.now_ns());
			folded = fold_hang(stall);
		}
		if (stall.ongoing ? !folded : repeats_.first_of_kind(stall, lines_.now_ns())) {
			show_in_full(stall);
		}
	} else if (known->second.identity != own) {
		show_in_full(stall);
	} else if (!folded) {
		show_update(stall);
	}
	if (!stall.ongoing) {
		ongoing_.erase(stall.id);
	} else if (known != ongoing_.end() || ongoing_.size() < max_ongoing) {
		ongoing_[stall.id] = Shown{own, without_stacks(stall), folded};
	}
}

// Whether another process hangs alike: it is shown with that one.
bool StallLines::fold_hang(const Stall &stall) {
	if (!like_another_process(stall)) {
		return false;
	}
	SameHang &same = same_hangs_[name_and_identity(stall)];
	same.since_ns = same.pids.empty() ? lines_.now_ns() : same.since_ns;
	same.pids.insert(stall.pid);
	same.words = format_same(stall);
	return true;
}

void StallLines::show_in_full(const Stall &stall) {
	const std::string whose = names_.whose(stall);
	const summary::Headline text = summary::format_headline(stall, lines_.room(stall.start_ns, whose));
	lines_.headline(stall.start_ns, whose, text.text, stall.ongoing);
	if (lines_.options().detail != Detail::headlines) {
		lines_.lines(stall_details(stall, lines_.style(text.whole)));
	}
}

void StallLines::show_update(const Stall &stall) {
	const std::uint64_t now_ns = stall.start_ns + stall.duration_ns;
	const std::string since = lines_.clock().time_of_day(stall.start_ns);
	const std::string at = summary::format_where(stall);
	const std::string place = at.empty() ? at : ", in " + at;
	if (stall.ongoing) {
		lines_.headline(now_ns, names_.whose(stall),
		                fmt::format("still blocked, {} since {}{}", format_duration(stall.duration_ns), since, place), true);
		return;
	}
	std::string end = "runs again: was";
	if (stall.goes_on || stall.truncated == Truncated::session_end) {
		end = fmt::format("{}:", summary::format_truncation(Truncated::session_end));
	} else if (stall.truncated == Truncated::target_exit) {
		end = fmt::format("{}: was", summary::format_truncation(Truncated::target_exit));
	}
	const bool lower_bound = stall.truncated == Truncated::before_attach || stall.truncated == Truncated::end_lost;
	const std::string_view least = lower_bound ? "at least " : "";
	const std::string parts = summary::format_breakdown(stall.breakdown);
	lines_.headline(now_ns, names_.whose(stall),
	                fmt::format("{} blocked {}{} since {}{}{}{}", end, least, format_duration(stall.duration_ns), since, place,
	                            parts.empty() ? "" : ": ", parts),
	                false);
}

bool StallLines::like_another_process(const Stall &stall) const {
	if (lines_.everything() || stall.name.service.empty()) {
		return false;
	}
	const std::string own = identity(stall);
	return std::ranges::any_of(ongoing_, [&](const auto &entry) {
		const Shown &shown = entry.second;
		return shown.last.pid != stall.pid && shown.last.name.service == stall.name.service && shown.identity == own;
	});
}

void StallLines::show_same_hangs(bool all) {
	constexpr std::uint64_t pause_ns = 1'000'000'000;
	constexpr std::size_t max_named = 8;
	for (auto entry = same_hangs_.begin(); entry != same_hangs_.end();) {
		const SameHang &same = entry->second;
		if (!all && lines_.now_ns() < same.since_ns + pause_ns) {
			++entry;
			continue;
		}
		std::string pids;
		std::size_t named = 0;
		for (const std::uint32_t pid : same.pids) {
			pids += named < max_named ? fmt::format("{}{}", named == 0 ? "" : ", ", pid) : "";
			named++;
		}
		lines_.line_at(lines_.now_ns(),
		               lines_.palette().alarm(fmt::format("the same in {} more {} of {} (pid {}{})", same.pids.size(),
		                                                  same.pids.size() == 1 ? "process" : "processes", same.words, pids,
		                                                  named > max_named ? ", …" : "")));
		entry = same_hangs_.erase(entry);
	}
}

void StallLines::show_folded(bool all) {
	show_same_hangs(all);
	for (const std::string &text : repeats_.due(lines_.now_ns(), all)) {
		lines_.line_at(lines_.now_ns(), text);
	}
}

} // namespace loopsnoop::output

// SPDX-License-Identifier: Apache-2.0
#include "output/tally.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <vector>

#include "analysis/restarts.h"
#include "base/columns.h"
#include "base/duration.h"
#include "base/escape.h"
#include "base/shorten.h"
#include "summary/line_account.h"
#include "summary/number.h"
#include "summary/place.h"
#include "summary/process.h"
#include "summary/restarts.h"

namespace loopsnoop::output {

namespace {

using Cells = std::vector<std::string>;

// Columns as wide as their widest cell; all but the first `left` are right-aligned.
std::string table(const std::vector<Cells> &rows, std::size_t left, const Palette &palette) {
	std::vector<std::size_t> widths(rows.front().size());
	for (const Cells &row : rows) {
		for (std::size_t i = 0; i < row.size(); i++) {
			widths[i] = std::max(widths[i], columns_of(row[i]));
		}
	}
	std::string out;
	for (const Cells &row : rows) {
		std::string line;
		for (std::size_t i = 0; i < row.size(); i++) {
			const std::string padding(widths[i] - columns_of(row[i]), ' ');
			line += "  " + (i < left ? row[i] + padding : padding + row[i]);
		}
		line.erase(line.find_last_not_of(' ') + 1);
		out += (&row == &rows.front() ? palette.faint(line) : line) + '\n';
	}
	return out;
}

constexpr std::size_t max_place = 120; // columns of a line's place, and of what it waits on

// Columns "where", "cause", "on", numbers: where the terminal is too narrow for them, places and what they wait on are shortened;
// where that would leave too little of them, each place stands above its numbers.
std::string fitted_table(std::vector<Cells> rows, const Palette &palette, std::size_t columns) {
	constexpr std::size_t where = 0;
	constexpr std::size_t on = 2;
	constexpr std::size_t enough = 36; // of a place beside its numbers
	constexpr std::size_t least_on = 10;
	const auto width_of = [&](std::size_t column) {
		std::size_t width = 0;
		for (const Cells &row : rows) {
			width = std::max(width, columns_of(row[column]));
		}
		return width;
	};
	std::size_t others = 0;
	for (std::size_t i = 0; i < rows.front().size(); i++) {
		others += 2 + (i == where || i == on ? 0 : width_of(i));
	}
	if (columns == 0 || others + width_of(where) + width_of(on) <= columns) {
		return table(rows, 3, palette);
	}
	const std::size_t left = columns > others ? columns - others : 0;
	const auto cut = [&](std::size_t column, std::size_t width) {
		for (Cells &row : rows) {
			row[column] = cut_middle(row[column], width);
		}
	};
	if (left >= 2 * enough) {
		const std::size_t of_on = std::min(width_of(on), std::max(left / 2, left - std::min(left, width_of(where))));
		cut(on, of_on);
		cut(where, left - of_on);
		return table(rows, 3, palette);
	}
	cut(on, std::max(least_on, left > 2 ? left - 2 : 0)); // the place's column is gone, but for the indent
	std::vector<Cells> numbers = rows;
	for (Cells &row : numbers) {
		row.erase(row.begin());
		row.front().insert(0, "  ");
	}
	const std::string below = table(numbers, 2, palette);
	std::string out = palette.faint("  where") + '\n';
	std::size_t at = 0;
	for (std::size_t i = 0; i < rows.size(); i++) {
		out += i == 0 ? "" : "  " + cut_middle(rows[i][where], columns - 2) + '\n';
		const std::size_t end = below.find('\n', at) + 1;
		out += below.substr(at, end - at);
		at = end;
	}
	return out;
}

std::string restart_lines(const SessionSummary &summary, const Palette &palette) {
	std::string out;
	for (const Restarts &one : summary.restarts) {
		const std::vector<std::string> sentences = summary::format_restarts(one);
		for (const std::string &sentence : sentences) {
			const bool first = &sentence == &sentences.front();
			const std::string text = printable(sentence, shown_path_bytes * 4);
			out += (first ? "  " + palette.strong(text) : "    " + text) + '\n';
		}
	}
	return out;
}

} // namespace

std::string loss_lines(const LossCounts &lost) {
	std::string out;
	for (std::size_t i = 0; i < loss_count; i++) {
		if (lost.at(i) > 0) {
			out += fmt::format("  lost: {} {}\n", summary::thousands(lost.at(i)), loss_texts.at(i).words);
		}
	}
	return out;
}

void Tally::name(const LoopFound &loop) {
	if (names_.size() < max_names || names_.contains({loop.pid, loop.tid})) {
		names_[{loop.pid, loop.tid}] = summary::format_process(loop.name, loop.comm);
	}
	if (loop.runtime.language == go_language && go_.size() < max_names) {
		go_.insert(loop.pid);
	}
}

// Of many loops those that were stalled longest.
std::string Tally::loop_lines(const SessionSummary &summary) const {
	std::vector<const LoopTotals *> order;
	order.reserve(summary.loops.size());
	for (const LoopTotals &loop : summary.loops) {
		if (!go_.contains(loop.pid)) {
			order.push_back(&loop);
		}
	}
	if (order.size() > max_rows) {
		std::stable_sort(order.begin(), order.end(),
		                 [](const LoopTotals *a, const LoopTotals *b) { return a->stalled_ns > b->stalled_ns; });
	}
	std::string out;
	for (std::size_t i = 0; i < std::min(order.size(), max_rows); i++) {
		const LoopTotals &loop = *order[i];
		const std::uint64_t all = loop.busy_ns + loop.idle_ns;
		const auto known = names_.find({loop.pid, loop.tid});
		const std::string name = known == names_.end() || names_.size() < 2 ? "" : " of " + known->second;
		out += fmt::format("  loop{} pid {} tid {}: {}, {} busy, {} idle", name, loop.pid, loop.tid,
		                   summary::plural(loop.iterations, "iteration"), summary::percent(loop.busy_ns, all),
		                   summary::percent(loop.idle_ns, all));
		if (loop.longest_ns > 0) {
			out += fmt::format(", longest {}", format_duration(loop.longest_ns));
		}
		out += '\n';
	}
	if (const std::uint64_t more = order.size() - std::min(order.size(), max_rows) + summary.loops_left_out; more != 0) {
		out += fmt::format("  … {} more loops\n", summary::thousands(more));
	}
	return out;
}

void Tally::Sum::add(std::uint64_t ns) {
	count++;
	total_ns += ns;
	longest_ns = std::max(longest_ns, ns);
}

void Tally::add(const Stall &stall) {
	all_.add(stall.duration_ns);
	by_cause_.at(static_cast<std::size_t>(stall.cause)).add(stall.duration_ns);
	lines_.add(stall);
}

void Tally::add(const Standstill &standstill, bool is_new) {
	standstills_.count += is_new ? 1 : 0;
	standstills_.longest_ns = std::max(standstills_.longest_ns, standstill.duration_ns);
}

std::string Tally::cause_table(std::uint64_t loop_ns, const std::string &of_what, const Palette &palette) const {
	std::vector<std::size_t> order;
	for (std::size_t i = 0; i < cause_count; i++) {
		if (by_cause_.at(i).count > 0) {
			order.push_back(i);
		}
	}
	std::stable_sort(order.begin(), order.end(),
	                 [this](std::size_t a, std::size_t b) { return by_cause_.at(a).total_ns > by_cause_.at(b).total_ns; });
	std::vector<Cells> rows{{"cause", "stalls", "total", "longest", of_what}};
	for (const std::size_t i : order) {
		const Sum &sum = by_cause_.at(i);
		rows.push_back({std::string(cause_texts.at(i).name), summary::thousands(sum.count), format_duration(sum.total_ns),
		                format_duration(sum.longest_ns), summary::percent(sum.total_ns, loop_ns)});
	}
	return table(rows, 1, palette);
}

std::string Tally::line_table(std::uint64_t loop_ns, const std::string &of_what, const Palette &palette,
                              std::size_t columns) const {
	std::vector<LineTotals> lines = lines_.lines(summary::LineAccount::max_lines);
	// A sample or two of 5 ms: not what anybody would mend.
	constexpr std::uint64_t matters = 500;
	const std::size_t all = lines.size();
	std::erase_if(lines, [&](const LineTotals &line) { return line.ns * matters < all_.total_ns; });
	std::vector<Cells> rows{{"where", "cause", "on", "stalls", "total", "longest", of_what}};
	for (std::size_t i = 0; i < std::min(lines.size(), max_rows); i++) {
		const LineTotals &line = lines[i];
		const std::string place = line.line.file.empty() ? printable(line.line.function, shown_path_bytes)
		                                                 : shorten(summary::format_frame(line.line), max_place);
		rows.push_back({place.empty() ? "(place not known)" : place, std::string(name_of(line.cause)),
		                line.on.empty() ? "-" : shorten(printable(line.on, shown_path_bytes), max_place),
		                summary::thousands(line.stalls), format_duration(line.ns), format_duration(line.longest_ns),
		                summary::percent(line.ns, loop_ns)});
	}
	std::string out = fitted_table(std::move(rows), palette, columns);
	if (const std::size_t shown = std::min(lines.size(), max_rows); all > shown) {
		out += palette.faint(fmt::format("  … {}", summary::plural(all - shown, "more line"))) + '\n';
	}
	return out;
}

std::string Tally::verdict(const SessionSummary &summary, std::uint64_t threshold_ns, const Palette &palette) const {
	const std::string of = threshold_ns == 0 ? std::string{} : fmt::format(" of {} or more", format_duration(threshold_ns));
	const std::string in = format_duration(summary.duration_ns);
	std::string text;
	if (standstills_.count > 0) {
		text = fmt::format("{}, {}{}; ", summary::plural(standstills_.count, "standstill"),
		                   standstills_.count > 1 ? "the longest " : "", format_duration(standstills_.longest_ns));
	}
	if (all_.count > 0) {
		return palette.strong(fmt::format("{}{}{} in {}: {} blocked, longest {}", text, summary::plural(all_.count, "stall"), of,
		                                  in, format_duration(all_.total_ns), format_duration(all_.longest_ns)));
	}
	std::uint64_t iterations = 0;
	for (const LoopTotals &loop : summary.loops) {
		iterations += loop.iterations;
	}
	text += fmt::format("no stall{} in {} ({})", of, in, summary::plural(iterations, "iteration"));
	return standstills_.count > 0 ? palette.strong(text) : palette.good(text);
}

std::string Tally::tables(const SessionSummary &summary, std::uint64_t threshold_ns, const Palette &palette,
                          std::size_t columns) const {
	std::uint64_t loop_ns = 0;
	std::size_t loops = 0;
	for (const LoopTotals &loop : summary.loops) {
		const bool counts = !go_.contains(loop.pid);
		loop_ns += counts ? loop.busy_ns + loop.idle_ns : 0;
		loops += counts ? 1 : 0;
	}
	if (loop_ns == 0) {
		loop_ns = summary.duration_ns;
	}
	// What one of several loops did has a smaller share of the time of all.
	const std::string of_what = loops > 1 ? "of all loops' time" : "of the time";
	std::string out = verdict(summary, threshold_ns, palette) + '\n';
	if (all_.count > 0) {
		out += '\n' + cause_table(loop_ns, of_what, palette) + '\n' + line_table(loop_ns, of_what, palette, columns) + '\n';
	}
	if (summary.loops.empty()) {
		out += "  no event loop was seen\n";
	}
	return out + loop_lines(summary) + restart_lines(summary, palette) + loss_lines(summary.lost);
}

} // namespace loopsnoop::output

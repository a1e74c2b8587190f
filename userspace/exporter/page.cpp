// SPDX-License-Identifier: Apache-2.0
#include "exporter/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/duration.h"
#include "base/escape.h"
#include "summary/number.h"
#include "summary/standstill_summary.h"

namespace loopsnoop::exporter {

namespace {

constexpr std::string_view style = R"css(
:root { color-scheme: light dark; --line: #8884; --dim: #777; --bad: #c22; --good: #181; }
@media (prefers-color-scheme: dark) { :root { --dim: #999; --bad: #f66; --good: #6c6; } }
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5em auto; padding: 0 1em; max-width: 72em; }
header { display: flex; flex-wrap: wrap; gap: 0 1em; align-items: baseline; }
h1 { font-size: 1.3em; margin: 0; } h2 { font-size: 1.05em; margin: 1.8em 0 .4em; }
.state { font-size: 1.15em; margin: .6em 0; } .bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); }
.dim { color: var(--dim); } code { font-family: ui-monospace, monospace; font-size: .92em; }
div.wide { overflow-x: auto; } table { border-collapse: collapse; }
th, td { text-align: left; padding: .25em 1.2em .25em 0; border-bottom: 1px solid var(--line); vertical-align: top; unicode-bidi: isolate; }
th { font-weight: 600; color: var(--dim); white-space: nowrap; } .n { text-align: right; white-space: nowrap; }
bdi, code { overflow-wrap: anywhere; } td:last-child:not(.n) { min-width: 14em; }
)css";

std::string in_bdi(std::string_view text) { return fmt::format("<bdi>{}</bdi>", html_escaped(text)); }

std::string process(std::string_view comm, std::uint32_t pid, std::uint32_t tid, std::string_view where = {}) {
	const std::string thread = tid == pid ? "" : fmt::format(", thread {}", tid);
	const std::string in = where.empty() ? "" : ", in " + in_bdi(where);
	return fmt::format("{} <span class=dim>pid {}{}{}</span>", in_bdi(comm), pid, thread, in);
}

std::string place(const Culprit &culprit) {
	const auto &[function, file, line, cause] = culprit;
	if (function.empty() && file.empty()) {
		return "<span class=dim>not known</span>";
	}
	const std::string where = line.empty() ? file : file + ":" + line;
	return fmt::format("{} <code class=dim><bdi>{}</bdi></code>", in_bdi(function), html_escaped(where));
}

std::string cause_cell(const Culprit &culprit) {
	const Cause cause = std::get<Cause>(culprit);
	return fmt::format("{} <span class=dim>{}</span>", name_of(cause), html_escaped(words_of(cause)));
}

// A table of cells that are HTML already. A heading that begins with "#" is of a column of numbers.
std::string table(const std::vector<std::string_view> &headings, const std::vector<std::vector<std::string>> &rows) {
	std::string out = "<div class=wide><table><tr>";
	const auto is_number = [&](std::size_t column) { return headings.at(column).starts_with('#'); };
	for (std::size_t i = 0; i < headings.size(); i++) {
		out += fmt::format("<th{}>{}", is_number(i) ? " class=n" : "", headings.at(i).substr(is_number(i) ? 1 : 0));
	}
	for (const auto &row : rows) {
		out += "\n<tr>";
		for (std::size_t i = 0; i < row.size(); i++) {
			out += fmt::format("<td{}>{}", is_number(i) ? " class=n" : "", row.at(i));
		}
	}
	return out + "\n</table></div>\n";
}

// "2026-11-24T05:09:28.000123Z" as "05:09:28.000", with the day when it is not that of `now`.
std::string time_cell(const std::string &at, const std::string &now) {
	constexpr std::size_t day = 10;
	constexpr std::size_t to_ms = 12;
	if (at.size() < day + 1 + to_ms) {
		return "<span class=dim>not known</span>";
	}
	const std::string date = at.substr(0, day) == now.substr(0, day) ? "" : at.substr(0, day) + " ";
	return html_escaped(date + at.substr(day + 1, to_ms));
}

std::string stuck_section(const Overview &now) {
	std::vector<std::vector<std::string>> rows;
	for (const Overview::Loop &loop : now.loops) {
		if (loop.stuck_ns == 0 || rows.size() == max_loops_shown) {
			break; // these come first
		}
		const std::string inspected_later = "<span class=dim>not inspected yet</span>";
		rows.push_back({fmt::format("<span class=bad>{}</span>", format_duration(loop.stuck_ns)),
		                time_cell(loop.stuck_since, now.now), process(loop.comm, loop.pid, loop.tid, loop.place),
		                loop.stuck ? cause_cell(*loop.stuck) : inspected_later, loop.stuck ? place(*loop.stuck) : ""});
	}
	return rows.empty() ? "" : "<h2>Stuck now</h2>\n" + table({"#for", "since, UTC", "process", "cause", "where"}, rows);
}

std::string standing_section(const Overview &now) {
	std::vector<std::vector<std::string>> rows;
	for (const Overview::Standing &one : now.standing) {
		if (rows.size() == max_loops_shown) {
			break;
		}
		rows.push_back({fmt::format("<span class=bad>{}</span>", format_duration(one.for_ns)), time_cell(one.since, now.now),
		                process(one.comm, one.pid, one.tid, one.loop_place),
		                fmt::format("{} <span class=dim>{}</span>", name_of(one.kind), summary::words_of(one.kind)),
		                place(one.where)});
	}
	return rows.empty() ? "" : "<h2>Standing still now</h2>\n" + table({"#for", "since, UTC", "process", "kind", "where"}, rows);
}

std::string recent_section(const Overview &now) {
	std::string out = "<h2>Recent stalls</h2>\n";
	if (now.recent.empty()) {
		return out + "<p class=dim>None has ended yet.</p>\n";
	}
	std::vector<std::vector<std::string>> rows;
	for (const Overview::Stall &stall : now.recent) {
		rows.push_back({time_cell(stall.started_at, now.now), format_duration(stall.duration_ns),
		                process(stall.comm, stall.pid, stall.tid), cause_cell(stall.culprit), place(stall.culprit)});
	}
	out += table({"began, UTC", "#took", "process", "cause", "where"}, rows);
	if (now.recent.size() == now.recent_bound) {
		out += fmt::format("<p class=dim>The latest {}; the metrics count all.</p>\n", now.recent_bound);
	}
	return out;
}

std::string causes_section(const Overview &now) {
	std::vector<std::pair<std::size_t, Overview::PerCause>> causes;
	for (std::size_t i = 0; i < cause_count; i++) {
		if (now.causes.at(i).ns != 0 || now.causes.at(i).stalls != 0) {
			causes.emplace_back(i, now.causes.at(i));
		}
	}
	if (causes.empty()) {
		return "";
	}
	std::sort(causes.begin(), causes.end(), [](const auto &a, const auto &b) { return a.second.ns > b.second.ns; });
	std::vector<std::vector<std::string>> rows;
	rows.reserve(causes.size());
	for (const auto &[cause, part] : causes) {
		rows.push_back({std::string(cause_texts.at(cause).name),
		                fmt::format("<span class=dim>{}</span>", cause_texts.at(cause).words), std::to_string(part.stalls),
		                format_duration(part.ns)});
	}
	return "<h2>What the stalls of these loops were about</h2>\n" + table({"cause", "", "#stalls", "#time"}, rows);
}

std::string loops_section(const Overview &now) {
	std::string out = "<h2>Loops followed</h2>\n";
	if (now.loops.empty()) {
		return out + "<p class=dim>None yet: no thread of a followed process has come to a poll call.</p>\n";
	}
	std::vector<std::vector<std::string>> rows;
	for (const Overview::Loop &loop : now.loops) {
		if (rows.size() == max_loops_shown) {
			break;
		}
		const std::uint64_t all = loop.busy_ns + loop.idle_ns;
		const std::string busy =
		    all == 0 ? "-" : fmt::format("{:.1f} %", 100 * static_cast<double>(loop.busy_ns) / static_cast<double>(all));
		rows.push_back({process(loop.comm, loop.pid, loop.tid, loop.place),
		                loop.stuck_ns != 0 ? "<span class=bad>stuck</span>" : "running", std::to_string(loop.iterations), busy,
		                std::to_string(loop.stalls), loop.stalls == 0 ? "-" : format_duration(loop.stalled_ns)});
	}
	out += table({"process", "state", "#iterations", "#busy", "#stalls", "#in stalls"}, rows);
	if (now.loops.size() > rows.size()) {
		out += fmt::format("<p class=dim>And {} more.</p>\n", now.loops.size() - rows.size());
	}
	return out;
}

std::string own_section(const Overview &now) {
	std::string out;
	for (const Pulse::Reading &thread : now.own_threads) {
		if (thread.times > 0) {
			out += fmt::format(
			    "<p class=\"state bad\">loopsnoop itself: its thread {} {} for {} in all.</p>\n", html_escaped(thread.thread),
			    thread.for_ns != 0 ? "stands still, and has stood" : "has stood still", format_duration(thread.stalled_ns));
		}
	}
	return out;
}

std::string lost_section(const Overview &now) {
	std::vector<std::vector<std::string>> rows;
	for (std::size_t i = 0; i < loss_count; i++) {
		if (now.lost.at(i) != 0) {
			rows.push_back({std::string(loss_texts.at(i).name), fmt::format("<span class=dim>{}</span>", loss_texts.at(i).words),
			                std::to_string(now.lost.at(i))});
		}
	}
	return "<h2>Lost</h2>\n" + (rows.empty() ? "<p class=dim>Nothing.</p>\n" : table({"reason", "", "#count"}, rows));
}

} // namespace

std::string page(const Overview &now) {
	const auto stuck = static_cast<std::uint64_t>(
	    std::count_if(now.loops.begin(), now.loops.end(), [](const Overview::Loop &loop) { return loop.stuck_ns != 0; }));
	const std::string title = stuck != 0              ? fmt::format("{} stuck · loopsnoop", stuck)
	                          : !now.standing.empty() ? fmt::format("{} standing still · loopsnoop", now.standing.size())
	                                                  : "loopsnoop";
	std::string out = fmt::format("<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8><title>{}</title>\n"
	                              "<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
	                              "<meta http-equiv=refresh content=5>\n<style>{}</style></head><body>\n",
	                              title, style);
	std::string at = now.now.substr(0, now.now.find('.'));
	std::replace(at.begin(), at.end(), 'T', ' ');
	out += fmt::format("<header><h1>loopsnoop {}</h1><span class=dim>as of {} UTC · stalls of {} or more, stuck after {} · <a "
	                   "href=\"/metrics\">metrics</a>"
	                   "</span></header>\n",
	                   html_escaped(now.version), html_escaped(at), format_duration(now.threshold_ns),
	                   format_duration(now.hang_after_ns));
	if (now.loops.empty()) {
		out += "<p class=\"state dim\">No loop is followed.</p>\n";
	} else if (stuck == 0 && !now.standing.empty()) {
		out += fmt::format("<p class=\"state bad\">{} of {} {} still while somebody waits.</p>\n",
		                   summary::thousands(now.standing.size()), summary::plural(now.loops.size(), "loop"),
		                   now.standing.size() == 1 ? "stands" : "stand");
	} else if (stuck == 0) {
		out +=
		    fmt::format("<p class=\"state good\">{} followed, none is stuck.</p>\n", summary::plural(now.loops.size(), "loop"));
	} else {
		out += fmt::format("<p class=\"state bad\">{} of {} stuck.</p>\n", summary::thousands(stuck),
		                   summary::plural(now.loops.size(), "loop"));
	}
	out += own_section(now) + stuck_section(now) + standing_section(now) + recent_section(now) + causes_section(now) +
	       loops_section(now) + lost_section(now);
	return out + "</body></html>\n";
}

} // namespace loopsnoop::exporter

// SPDX-License-Identifier: Apache-2.0
#include "exporter/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/duration.h"
#include "base/escape.h"
#include "exporter/page_parts.h"
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
div.cards { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 0 2.5em; } div.cards > div { max-width: 100%; }
h3 { font-size: 1em; font-weight: normal; margin: .9em 0 .2em; } div.cards td:last-child:not(.n) { min-width: 0; max-width: 16em; }
div.cards th, div.cards td { padding-right: .7em; }
)css";

std::string stuck_section(const Overview &now) {
	std::vector<std::vector<std::string>> rows;
	for (const Overview::Loop &loop : now.loops) {
		if (loop.stuck_ns == 0 || rows.size() == max_loops_shown) {
			break; // these come first
		}
		const std::string inspected_later = "<span class=dim>not inspected yet</span>";
		rows.push_back({fmt::format("<span class=bad>{}</span>", format_duration(loop.stuck_ns)),
		                time_cell(loop.stuck_since, now.now), process_cell(loop.comm, loop.pid, loop.tid, loop.place),
		                loop.stuck ? cause_cell(*loop.stuck) : inspected_later, loop.stuck ? place_cell(*loop.stuck) : ""});
	}
	return rows.empty() ? "" : "<h2>Stuck now</h2>\n" + html_table({"#for", "since, UTC", "process", "cause", "where"}, rows);
}

std::vector<std::string> standing_cells(const Overview::Standing &one, bool over) {
	const std::string age = format_duration(one.for_ns);
	const std::string clients =
	    one.clients.empty() ? "<span class=dim>nobody is known to wait</span>" : html_escaped(one.clients);
	return {over ? age : fmt::format("<span class=bad>{}</span>", age), process_cell(one.comm, one.pid, one.tid, one.loop_place),
	        fmt::format("{} <span class=dim>{}</span>", name_of(one.kind), summary::words_of(one.kind)),
	        over && one.clients.empty() ? "" : clients, place_cell(one.where)};
}

std::string standing_section(const Overview &now) {
	std::vector<std::vector<std::string>> rows;
	for (const Overview::Standing &one : now.standing) {
		if (rows.size() == max_loops_shown) {
			break;
		}
		rows.push_back(standing_cells(one, false));
		rows.back().insert(rows.back().begin() + 1, time_cell(one.since, now.now));
	}
	return rows.empty()
	           ? ""
	           : "<h2>Standing still now</h2>\n" +
	                 html_table({"#for", "since, UTC", "process", "kind", "customers, when last counted", "where"}, rows);
}

std::string stood_section(const Overview &now) {
	std::vector<std::vector<std::string>> rows;
	for (const Overview::Standing &one : now.stood) {
		rows.push_back(standing_cells(one, true));
		rows.back().insert(rows.back().begin(), time_cell(one.since, now.now));
	}
	return rows.empty()
	           ? ""
	           : "<h2>Standstills that are over</h2>\n" +
	                 html_table({"began, UTC", "#lasted", "process", "kind", "customers, when last counted", "where"}, rows);
}

std::string recent_section(const Overview &now) {
	std::string out = "<h2>Recent stalls</h2>\n";
	if (now.recent.empty()) {
		return out + "<p class=dim>None has ended yet.</p>\n";
	}
	std::vector<std::vector<std::string>> rows;
	for (const Overview::Stall &stall : now.recent) {
		rows.push_back({time_cell(stall.started_at, now.now), format_duration(stall.duration_ns),
		                process_cell(stall.comm, stall.pid, stall.tid), cause_cell(stall.culprit), place_cell(stall.culprit)});
	}
	out += html_table({"began, UTC", "#took", "process", "cause", "where"}, rows);
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
	return "<h2>What the stalls of these loops were about</h2>\n" + html_table({"cause", "", "#stalls", "#time"}, rows);
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
		rows.push_back({process_cell(loop.comm, loop.pid, loop.tid, loop.place),
		                loop.stuck_ns != 0 ? "<span class=bad>stuck</span>" : "running", std::to_string(loop.iterations), busy,
		                std::to_string(loop.stalls), loop.stalls == 0 ? "-" : format_duration(loop.stalled_ns)});
	}
	out += html_table({"process", "state", "#iterations", "#busy", "#stalls", "#in stalls"}, rows);
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
	return "<h2>Lost</h2>\n" + (rows.empty() ? "<p class=dim>Nothing.</p>\n" : html_table({"reason", "", "#count"}, rows));
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
	out += own_section(now) + stuck_section(now) + standing_section(now) + stood_section(now) + recent_section(now) +
	       causes_section(now) + loops_section(now) + gauges_section(now) + lost_section(now);
	return out + "</body></html>\n";
}

} // namespace loopsnoop::exporter

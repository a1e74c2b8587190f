// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "exporter/page.h"
#include "exporter/page_parts.h"
#include "summary/number.h"

namespace loopsnoop::exporter {

namespace {

using Rows = std::vector<std::vector<std::string>>;
using Value = std::optional<std::uint64_t>;

constexpr unsigned bytes_per_mib_log2 = 20;

std::string unknown() { return "<span class=dim>not known</span>"; }

std::string growth(const Value &first, const Value &last) {
	if (!first || !last || *first == *last) {
		return "";
	}
	return *last > *first ? "+" + summary::thousands(*last - *first) : "−" + summary::thousands(*first - *last);
}

void add_row(Rows &rows, std::string name, const Value &first, const Value &last, std::string most = {}) {
	rows.push_back({std::move(name), last ? summary::thousands(*last) : unknown(), growth(first, last), std::move(most)});
}

Value mebibytes(const Value &bytes) { return bytes ? Value(*bytes >> bytes_per_mib_log2) : std::nullopt; }

std::string remotes(const std::vector<RemoteCount> &counts, std::string_view side) {
	std::string lines;
	for (const RemoteCount &one : counts) {
		lines += fmt::format("<div>{} {} {}</div>", summary::thousands(one.count), side, in_bdi(one.remote));
	}
	return lines;
}

std::string places(const std::vector<TaskPlace> &counts) {
	std::string lines;
	for (const TaskPlace &one : counts) {
		const Culprit line{one.line.function, one.line.file, one.line.line ? std::to_string(*one.line.line) : "", Cause::other};
		lines += fmt::format("<div>{} in {}</div>", summary::thousands(one.count), place_cell(line));
	}
	return lines;
}

std::string card(const Overview::Filling &one) {
	const ProcessGauges &first = one.first;
	const ProcessGauges &last = one.last;
	Rows rows;
	if (last.tasks) { // of most programs there are none to be read
		add_row(rows, "tasks", first.tasks, last.tasks, places(last.places));
	}
	add_row(rows, "connections in", first.inbound, last.inbound, remotes(last.inbound_from, "from"));
	add_row(rows, "connections out", first.outbound, last.outbound, remotes(last.outbound_to, "to"));
	add_row(rows, "MiB resident", mebibytes(first.resident_bytes), mebibytes(last.resident_bytes));
	add_row(rows, "descriptors", first.descriptors, last.descriptors);
	add_row(rows, "threads", first.threads, last.threads);
	return fmt::format("<div><h3>{}</h3>\n{}</div>\n", process_cell(one.comm, one.pid, one.tid, one.loop_place),
	                   html_table({"", "#now", "#change", "most of them"}, rows));
}

} // namespace

std::string gauges_section(const Overview &now) {
	if (now.filling.empty()) {
		return "";
	}
	std::string out =
	    "<h2>What fills up</h2>\n<p class=dim>As it was within the last minute, and the change since the process is "
	    "followed.</p>\n<div class=cards>\n";
	for (std::size_t i = 0; i < now.filling.size() && i < max_cards; i++) {
		out += card(now.filling[i]);
	}
	out += "</div>\n";
	if (now.filling.size() > max_cards) {
		out += fmt::format("<p class=dim>And {} more processes.</p>\n", summary::thousands(now.filling.size() - max_cards));
	}
	return out;
}

} // namespace loopsnoop::exporter

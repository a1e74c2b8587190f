// SPDX-License-Identifier: Apache-2.0
#include "exporter/page_parts.h"

#include <fmt/format.h>

#include "base/escape.h"

namespace loopsnoop::exporter {

std::string in_bdi(std::string_view text) { return fmt::format("<bdi>{}</bdi>", html_escaped(text)); }

std::string process_cell(std::string_view comm, std::uint32_t pid, std::uint32_t tid, std::string_view where) {
	const std::string thread = tid == pid ? "" : fmt::format(", thread {}", tid);
	const std::string in = where.empty() ? "" : ", in " + in_bdi(where);
	return fmt::format("{} <span class=dim>pid {}{}{}</span>", in_bdi(comm), pid, thread, in);
}

std::string place_cell(const Culprit &culprit) {
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

std::string html_table(const std::vector<std::string_view> &headings, const std::vector<std::vector<std::string>> &rows) {
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

std::string time_cell(const std::string &at, const std::string &now) {
	constexpr std::size_t day = 10;
	constexpr std::size_t to_ms = 12;
	if (at.size() < day + 1 + to_ms) {
		return "<span class=dim>not known</span>";
	}
	const std::string date = at.substr(0, day) == now.substr(0, day) ? "" : at.substr(0, day) + " ";
	return html_escaped(date + at.substr(day + 1, to_ms));
}

} // namespace loopsnoop::exporter

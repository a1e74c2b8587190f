// SPDX-License-Identifier: Apache-2.0
#include "output/report_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/columns.h"
#include "base/shorten.h"
#include "output/wrap.h"

namespace loopsnoop::output {

void ReportLines::restart(std::string_view started_at, std::uint64_t start_ns) {
	clock_.set(started_at, start_ns);
	now_ns_ = start_ns;
}

void ReportLines::line_at(std::uint64_t at_ns, std::string_view text) {
	line(fmt::format("{}  {}", palette_.faint(clock_.time_of_day(at_ns)), text));
}

std::size_t ReportLines::room(std::uint64_t at_ns, const std::string &whose, std::size_t max_columns) const {
	const std::size_t before = columns_of(clock_.time_of_day(at_ns)) + 2 + columns_of(whose);
	return everything() ? std::string::npos : max_columns - std::min(before, max_columns / 2);
}

void ReportLines::headline(std::uint64_t at_ns, const std::string &whose, std::string_view text, bool alarming,
                           std::size_t max_columns) {
	const std::string shown = shorten(text, room(at_ns, whose, max_columns));
	line_at(at_ns, whose + (alarming ? palette_.alarm(shown) : palette_.strong(shown)));
}

std::string ReportLines::take() {
	const std::string text = std::exchange(text_, {});
	return options_.wrap && options_.detail != Detail::headlines ? wrap_lines(text, options_.columns) : text;
}

} // namespace loopsnoop::output

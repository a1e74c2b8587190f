// SPDX-License-Identifier: Apache-2.0
#include "output/screen.h"

#include <algorithm>
#include <string>

#include "base/columns.h"

namespace loopsnoop::output {

namespace {

constexpr std::string_view erase_line = "\r\x1b[K";

} // namespace

void Screen::show(ReportLines &lines) {
	const std::string status = status_ && options_.status_line ? status_text(*status_) : std::string{};
	if (lines.empty() && status.empty() && !drawn_) {
		return;
	}
	std::string out(drawn_ ? erase_line : std::string_view());
	out += lines.take();
	if (!status.empty()) {
		// One column short of the width: a full line would make some terminals go on to the next.
		out += lines.palette().faint(cut_to_columns(status, std::max(options_.columns, 2U) - 1));
	}
	drawn_ = !status.empty();
	sink_(out);
}

} // namespace loopsnoop::output

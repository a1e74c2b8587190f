// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include "output/report_lines.h"
#include "output/status_line.h"
#include "output/text_options.h"

namespace loopsnoop::output {

// Where a report is shown: its lines, and below them the status line where there is one, which is erased before more lines come
// and drawn again after them. The options outlive it. One thread.
class Screen {
public:
	// Called with whole lines, and what erases and draws the status line.
	using Sink = std::function<void(std::string_view)>;

	Screen(const TextOptions &options, Sink sink) : options_(options), sink_(std::move(sink)) {}

	// Shown with the next lines, and from then on.
	void set(const Status &status) { status_ = status; }
	void no_status() { status_.reset(); }
	// Shows the lines, of which none are left.
	void show(ReportLines &lines);

private:
	const TextOptions &options_;
	Sink sink_;
	std::optional<Status> status_;
	bool drawn_ = false;
};

} // namespace loopsnoop::output

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "output/palette.h"
#include "output/stall_text.h"
#include "output/text_options.h"
#include "output/wall_clock.h"

namespace loopsnoop::output {

// The lines of a report that are not written yet, with the clock and the colours that they have in common. The options outlive
// it; their columns may change. One thread.
class ReportLines {
public:
	static constexpr std::size_t usual_columns = 200; // of a headline, the terminal's width or not

	explicit ReportLines(const TextOptions &options) : options_(options), palette_{options.colour} {}

	[[nodiscard]] const TextOptions &options() const { return options_; }
	[[nodiscard]] const Palette &palette() const { return palette_; }
	[[nodiscard]] const WallClock &clock() const { return clock_; }
	[[nodiscard]] bool everything() const { return options_.detail == Detail::everything; }
	[[nodiscard]] StallStyle style(bool after_headline = true) const { return {palette_, everything(), after_headline}; }

	// Session time: the latest that was seen, CLOCK_MONOTONIC.
	[[nodiscard]] std::uint64_t now_ns() const { return now_ns_; }
	void advance(std::uint64_t to_ns) { now_ns_ = to_ns > now_ns_ ? to_ns : now_ns_; }
	// Another session's times need not go on.
	void restart(std::string_view started_at, std::uint64_t start_ns);
	// What time of day a moment was, RFC 3339.
	void set_clock(std::string_view started_at, std::uint64_t start_ns) { clock_.set(started_at, start_ns); }

	void line(std::string_view text) { text_.append(text).append("\n"); }
	// Whole lines.
	void lines(std::string_view text) { text_ += text; }
	// With the time of day before it.
	void line_at(std::uint64_t at_ns, std::string_view text);
	// The same, of a stall or a standstill: cut to what a line that is read at a glance has room for. `whose`: which loop, empty
	// or ending in a space.
	void headline(std::uint64_t at_ns, const std::string &whose, std::string_view text, bool alarming,
	              std::size_t max_columns = usual_columns);
	// Columns that a headline has left for its text; -v and JSON have it whole.
	[[nodiscard]] std::size_t room(std::uint64_t at_ns, const std::string &whose, std::size_t max_columns = usual_columns) const;

	[[nodiscard]] bool empty() const { return text_.empty(); }
	// All of them, broken at the terminal's width where that is asked for; none are left.
	[[nodiscard]] std::string take();

private:
	const TextOptions &options_;
	Palette palette_;
	WallClock clock_;
	std::string text_;
	std::uint64_t now_ns_ = 0;
};

} // namespace loopsnoop::output

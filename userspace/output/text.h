// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "model/session.h"
#include "output/loop_names.h"
#include "output/newcomers.h"
#include "output/report_lines.h"
#include "output/screen.h"
#include "output/stall_lines.h"
#include "output/status_line.h"
#include "output/tally.h"
#include "output/text_options.h"

namespace loopsnoop::output {

// The live report for people, and what `loopsnoop report` prints. Records in the order of the recording; the session time of
// repeats is taken from them and from Status. Calls the sink with whole lines, each call complete (status line erased before,
// drawn again after). One thread; no input or output of its own. Memory is bounded however long the session.
class TextReport {
public:
	using Sink = Screen::Sink;

	TextReport(TextOptions options, Sink sink);
	TextReport(const TextReport &) = delete;
	TextReport &operator=(const TextReport &) = delete;
	TextReport(TextReport &&) = delete;
	TextReport &operator=(TextReport &&) = delete;
	~TextReport() = default;

	void write(const Record &record);
	void status(const Status &status);
	void set_columns(unsigned columns) { options_.columns = columns; } // after SIGWINCH

	// A line of somebody else (a warning), put in without disturbing the status line; escaped.
	void note(std::string_view text);

	// The end, also of a recording that breaks off: repeats not shown yet, tables, status line erased. Idempotent.
	void finish();

private:
	void add(const SessionStart &session);
	void add(const LoopFound &loop);
	void add(const Stall &stall);
	void add(const ProcessExit &exit);
	void add(const ProcessExec &exec);
	void add(const ProcessFork &fork);
	void add(const SessionSummary &summary) { summary_ = summary; }
	void add(const Dump &dump);
	void add(const Standstill &standstill);
	void add(const TaskSnapshot &snapshot);

	// A host is watched as a whole: single processes that come and go are not worth a line each.
	[[nodiscard]] bool many() const { return session_ && session_->discovery && !lines_.everything(); }
	void advance(std::uint64_t now_ns);
	void show_newcomers(bool all);
	void flush() { screen_.show(lines_); }

	TextOptions options_;
	Screen screen_;
	ReportLines lines_{options_};
	LoopNames names_;
	StallLines stalls_{lines_, names_};
	Tally tally_;
	Newcomers newcomers_;
	bool finished_ = false;
	std::set<std::string> troubles_;      // that were shown
	std::set<std::uint32_t> shown_go_;    // pids of programs of Go
	std::set<std::uint64_t> standstills_; // ids of those that go on and were shown; bounded
	std::optional<SessionStart> session_;
	std::optional<SessionSummary> summary_;
};

} // namespace loopsnoop::output

// SPDX-License-Identifier: Apache-2.0
#include "output/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "base/duration.h"
#include "base/escape.h"
#include "output/dump_text.h"
#include "output/session_text.h"
#include "output/standstill_text.h"
#include "output/tasks_text.h"
#include "summary/ending.h"

namespace loopsnoop::output {

namespace {

constexpr std::size_t max_standstills = 1024; // going on at once whose updates are shown as such
constexpr std::size_t max_troubles = 256;     // shown, once each

} // namespace

TextReport::TextReport(TextOptions options, Sink sink) : options_(options), screen_(options_, std::move(sink)) {}

void TextReport::write(const Record &record) {
	if (finished_) {
		return;
	}
	std::visit([this](const auto &one) { add(one); }, record);
	flush();
}

void TextReport::status(const Status &status) {
	if (finished_) {
		return;
	}
	advance(status.now_ns);
	screen_.set(status);
	for (const std::string &trouble : status.troubles) {
		if (troubles_.size() < max_troubles && troubles_.insert(trouble).second) {
			lines_.line("note: " + printable(trouble, 2 * shown_path_bytes));
		}
	}
	flush();
}

void TextReport::note(std::string_view text) {
	lines_.line(printable(text, shown_path_bytes * 4));
	flush();
}

void TextReport::finish() {
	if (finished_) {
		return;
	}
	show_newcomers(true);
	stalls_.show_folded(true);
	const bool broken_off = !summary_;
	if (broken_off) {
		// Without the last record nothing is known of the loops but their stalls.
		SessionSummary &summary = summary_.emplace();
		summary.duration_ns = session_ ? lines_.now_ns() - std::min(lines_.now_ns(), session_->start_ns) : 0;
	}
	stalls_.each_ongoing([&](const Stall &stall) { tally_.add(stall); });
	if (session_ || !tally_.empty()) {
		lines_.line("");
		if (broken_off) {
			lines_.line("the recording breaks off here: it has no summary");
		}
		lines_.lines(tally_.tables(*summary_, session_ ? session_->threshold_ns : 0, lines_.palette(),
		                           options_.wrap ? options_.columns : 0));
		for (const GaugesChange &change : summary_->grown) {
			lines_.line(format_growth(change));
		}
		for (const WaitedFor &one : summary_->waited_for) {
			lines_.line(format_waited_for(one));
		}
	}
	finished_ = true;
	screen_.no_status();
	flush();
}

void TextReport::add(const SessionStart &session) {
	lines_.restart(session.started_at, session.start_ns);
	const Palette &palette = lines_.palette();
	lines_.line(palette.strong(fmt::format("loopsnoop {}: stalls of {} or more", printable(session.version),
	                                       format_duration(session.threshold_ns))) +
	            palette.faint(fmt::format(", {} on {}, Linux {}", lines_.clock().date(session.start_ns), printable(session.host),
	                                      printable(session.kernel))));
	for (const std::string &missing : session.missing) {
		lines_.line("  missing: " + printable(missing, shown_path_bytes));
	}
	for (const NotFollowed &one : session.not_followed) {
		lines_.line("  not followed: " + format_not_followed(one));
	}
	for (const NotFollowed &one : session.workers) {
		lines_.line("  " + format_workers(one));
	}
	session_ = session;
	if (session.discovery) {
		names_.whole_host();
		stalls_.name_processes();
	}
}

void TextReport::add(const LoopFound &loop) {
	advance(loop.start_ns);
	if (names_.add(loop)) {
		stalls_.name_processes();
	}
	tally_.name(loop);
	if (many()) {
		newcomers_.add(loop);
		return;
	}
	const bool shown = loop.runtime.language == go_language && !shown_go_.insert(loop.pid).second;
	if (!shown || lines_.everything()) { // the threads of a Go program are no loops: its line stands for all
		lines_.line(format_loop(loop));
	}
}

void TextReport::add(const Stall &stall) {
	lines_.set_clock(stall.started_at, stall.start_ns);
	lines_.advance(stall.start_ns + stall.duration_ns); // repeats are shown below, this one counted
	if (!stall.ongoing) {
		tally_.add(stall);
	}
	stalls_.add(stall);
	stalls_.show_folded(false);
}

// In full once, then a line at each doubling of its age, and one for its end.
void TextReport::add(const Standstill &standstill) {
	lines_.set_clock(standstill.started_at, standstill.start_ns);
	const std::uint64_t end_ns = standstill.start_ns + standstill.duration_ns;
	lines_.advance(end_ns);
	const std::string text = printable(standstill.summary, shown_path_bytes * 4);
	const bool shown = standstills_.contains(standstill.id);
	tally_.add(standstill, !shown);
	// Who waits, where, for what, and for whom that waits in turn: a sentence of some length.
	constexpr std::size_t max_columns = 400;
	lines_.headline(shown ? end_ns : standstill.start_ns, names_.whose(standstill), text, standstill.ongoing, max_columns);
	if (!shown && options_.detail != Detail::headlines) {
		lines_.lines(standstill_details(standstill, lines_.style()));
	}
	if (!standstill.ongoing) {
		standstills_.erase(standstill.id);
	} else if (standstills_.size() < max_standstills) {
		standstills_.insert(standstill.id);
	}
	stalls_.show_folded(false);
}

void TextReport::add(const ProcessExit &exit) {
	advance(exit.start_ns);
	const std::optional<std::string> name = names_.of_process(exit.pid);
	if (session_ && session_->discovery) {
		names_.forget(exit.pid);
	}
	if (!many()) {
		lines_.line_at(exit.start_ns, summary::format_exit(exit, fmt::format("pid {}", exit.pid)));
	} else if (name && exit.signal) {
		lines_.line_at(exit.start_ns, summary::format_exit(exit, fmt::format("{} (pid {})", *name, exit.pid)));
	}
}

void TextReport::add(const ProcessExec &exec) {
	advance(exec.start_ns);
	if (options_.detail != Detail::headlines && !many()) {
		lines_.line_at(exec.start_ns, fmt::format("pid {} became {} (exec)", exec.pid, printable(exec.comm)));
	}
}

void TextReport::add(const ProcessFork &fork) {
	advance(fork.start_ns);
	if (options_.detail != Detail::headlines && !many()) {
		lines_.line_at(fork.start_ns, fmt::format("pid {} forked pid {}", fork.pid, fork.child));
	}
}

void TextReport::add(const Dump &dump) { lines_.lines(dump_text(dump, lines_.style())); }

void TextReport::add(const TaskSnapshot &snapshot) { lines_.lines(tasks_text(snapshot, lines_.style())); }

void TextReport::advance(std::uint64_t now_ns) {
	lines_.advance(now_ns);
	show_newcomers(false);
	stalls_.show_folded(false);
}

void TextReport::show_newcomers(bool all) {
	if (const std::string text = newcomers_.due(lines_.now_ns(), all); !text.empty()) {
		lines_.line_at(lines_.now_ns(), text);
	}
}

} // namespace loopsnoop::output

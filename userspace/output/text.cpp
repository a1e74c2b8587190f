// SPDX-License-Identifier: Apache-2.0
#include "output/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "base/columns.h"
#include "base/duration.h"
#include "base/escape.h"
#include "base/shorten.h"
#include "output/dump_text.h"
#include "output/stall_text.h"
#include "output/standstill_text.h"
#include "output/tasks_text.h"
#include "output/wrap.h"
#include "summary/number.h"
#include "summary/place.h"
#include "summary/process.h"
#include "summary/stall_summary.h"
#include "summary/standstill_summary.h"

namespace loopsnoop::output {

namespace {

constexpr std::size_t most_loops = 4096;   // told apart in headlines
constexpr std::size_t most_ongoing = 1024; // stalls running at once whose updates are told as such
constexpr std::size_t max_troubles = 256;  // shown, once each
constexpr std::string_view erase_line = "\r\x1b[K";

std::string loop_words(const LoopFound &loop) {
	std::string text = fmt::format("following {} (pid {})", summary::format_process(loop.name, loop.comm), loop.pid);
	if (loop.tid != loop.pid) {
		text += fmt::format(", thread {} (tid {})", printable(loop.thread), loop.tid);
	}
	switch (loop.runtime.kind) {
	case RuntimeKind::cpython: text += ": CPython"; break;
	case RuntimeKind::node: text += ": Node.js"; break;
	case RuntimeKind::native: text += ": native code"; break;
	}
	if (loop.runtime.version) {
		text += ' ' + printable(*loop.runtime.version);
	}
	if (!loop.poll) {
		return text + ", not seen polling yet";
	}
	text += fmt::format(", loop on {}", printable(loop.poll->syscall));
	if (loop.poll->fd) {
		text += fmt::format(" of fd {}", *loop.poll->fd);
	}
	return text;
}

std::string some_pids(const NotFollowed &one) {
	constexpr std::size_t most_named = 3;
	std::string pids;
	for (std::size_t i = 0; i < one.children.size() && i < most_named; i++) {
		pids += fmt::format("{}{}", i > 0 ? ", " : "", one.children[i]);
	}
	return pids + (one.children.size() > most_named ? ", …" : "");
}

std::string not_followed_words(const NotFollowed &one) {
	const bool single = one.children.size() == 1;
	return fmt::format("{} of {} (pid {}) with {} of {} own (pid {}); --children follows {}, too",
	                   single ? "a child" : fmt::format("{} children", one.children.size()),
	                   summary::format_process({{}, one.service}, one.comm), one.parent,
	                   single ? "an event queue" : "event queues", single ? "its" : "their", some_pids(one),
	                   single ? "it" : "them");
}

std::string workers_words(const NotFollowed &one) {
	const bool single = one.children.size() == 1;
	return fmt::format("{} (pid {}) has its work done by {} (pid {}): followed, too, as with --children",
	                   summary::format_process({{}, one.service}, one.comm), one.parent,
	                   single ? "a process below it" : fmt::format("{} processes below it", one.children.size()), some_pids(one));
}

std::string exit_words(const ProcessExit &exit) {
	if (exit.signal) {
		return fmt::format("pid {} was killed by {}", exit.pid, printable(*exit.signal));
	}
	return exit.status ? fmt::format("pid {} exited with status {}", exit.pid, *exit.status)
	                   : fmt::format("pid {} is gone", exit.pid);
}

std::string waited_for_words(const WaitedFor &one) {
	std::string text =
	    fmt::format("as the session ends, of {} (pid {}): {}; loopsnoop tasks -p {} shows ",
	                summary::format_process({{}, one.service}, one.comm), one.pid, summary::format_clients(one.clients), one.pid);
	return text + (one.tasks ? fmt::format("where its {} wait", summary::plural(*one.tasks, "task")) : "where its tasks wait");
}

// "tasks 11 -> 212, connections in 3 -> 190 in 25 min, 198 of the tasks in article (/srv/shop/api.py:47)"
std::string grown_words(const GaugesChange &change) {
	std::string text;
	const auto add = [&](std::string_view what, const std::optional<std::uint64_t> &first,
	                     const std::optional<std::uint64_t> &last) {
		if (first && last && *last >= 2 * *first && *last > *first) {
			text += fmt::format("{}{} {} → {}", text.empty() ? "" : ", ", what, summary::thousands(*first),
			                    summary::thousands(*last));
		}
	};
	const auto mebibytes = [](const std::optional<std::uint64_t> &bytes) {
		return bytes ? std::optional<std::uint64_t>(*bytes >> 20U) : std::nullopt;
	};
	add("tasks", change.first.tasks, change.last.tasks);
	add("connections in", change.first.inbound, change.last.inbound);
	add("connections out", change.first.outbound, change.last.outbound);
	add("descriptors", change.first.descriptors, change.last.descriptors);
	add("MiB resident", mebibytes(change.first.resident_bytes), mebibytes(change.last.resident_bytes));
	text += " in " + format_duration(change.last.time_ns - std::min(change.last.time_ns, change.first.time_ns));
	if (!change.last.places.empty()) {
		const TaskPlace &place = change.last.places.front();
		text += fmt::format(", {} of the tasks in {}", summary::thousands(place.count), summary::format_frame(place.line));
	}
	return fmt::format("grown in {} (pid {}): {}", summary::format_process({{}, change.service}, change.comm), change.last.pid,
	                   text);
}

std::string name_and_identity(const Stall &stall) { return stall.name.service + '|' + identity(stall); }

// "uvicorn shop:app, in page (app.py:12)"
std::string same_words(const Stall &stall) {
	const std::string where = summary::format_where(stall);
	return summary::format_process(stall.name, stall.comm) + (where.empty() ? where : ", in " + shorten(where, 100));
}

// What is kept of a stall between its records.
Stall without_stacks(const Stall &stall) {
	Stall kept;
	kept.id = stall.id;
	kept.start_ns = stall.start_ns;
	kept.duration_ns = stall.duration_ns;
	kept.pid = stall.pid;
	kept.tid = stall.tid;
	kept.cause = stall.cause;
	kept.culprit = stall.culprit;
	kept.comm = stall.comm;
	kept.name = stall.name;
	return kept;
}

} // namespace

TextReport::TextReport(TextOptions options, Sink sink)
    : options_(options), sink_(std::move(sink)), palette_{options.colour}, repeats_(options.repeats_every_ns) {}

// Which loop, where there are several: of a Stall or a Standstill.
template <typename Of> std::string TextReport::who(const Of &of) const {
	if (loops_.size() < 2 && !(session_ && session_->discovery)) {
		return {};
	}
	std::string text = fmt::format("{} (pid {}", summary::format_process(of.name, of.comm), of.pid);
	if (of.tid != of.pid) {
		text += fmt::format(", thread {} tid {}", printable(of.thread), of.tid);
	}
	return text + ") ";
}

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
	status_ = status;
	for (const std::string &trouble : status.troubles) {
		if (troubles_.size() < max_troubles && troubles_.insert(trouble).second) {
			line("note: " + printable(trouble, 2 * shown_path_bytes));
		}
	}
	flush();
}

void TextReport::note(std::string_view text) {
	line(printable(text, shown_path_bytes * 4));
	flush();
}

void TextReport::finish() {
	if (finished_) {
		return;
	}
	tell_newcomers(true);
	tell_repeats(true);
	const bool broken_off = !summary_;
	if (broken_off) {
		// Without the last record nothing is known of the loops but their stalls.
		SessionSummary &summary = summary_.emplace();
		summary.duration_ns = session_ && now_ns_ > session_->start_ns ? now_ns_ - session_->start_ns : 0;
	}
	for (const auto &[id, shown] : ongoing_) {
		tally_.add(shown.last);
	}
	if (session_ || tally_.stalls() > 0) {
		line("");
		if (broken_off) {
			line("the recording breaks off here: it has no summary");
		}
		pending_ +=
		    tally_.tables(*summary_, session_ ? session_->threshold_ns : 0, palette_, options_.wrap ? options_.columns : 0);
		for (const GaugesChange &change : summary_->grown) {
			line(grown_words(change));
		}
		for (const WaitedFor &one : summary_->waited_for) {
			line(waited_for_words(one));
		}
	}
	finished_ = true;
	status_.reset();
	flush();
}

void TextReport::add(const SessionStart &session) {
	clock_.set(session.started_at, session.start_ns);
	now_ns_ = session.start_ns; // a recording may hold several sessions: their clocks need not go on
	line(palette_.strong(fmt::format("loopsnoop {}: stalls of {} or more", printable(session.version),
	                                 format_duration(session.threshold_ns))) +
	     palette_.faint(fmt::format(", {} on {}, Linux {}", clock_.date(session.start_ns), printable(session.host),
	                                printable(session.kernel))));
	for (const std::string &missing : session.missing) {
		line("  missing: " + printable(missing, shown_path_bytes));
	}
	for (const NotFollowed &one : session.not_followed) {
		line("  not followed: " + not_followed_words(one));
	}
	for (const NotFollowed &one : session.workers) {
		line("  " + workers_words(one));
	}
	session_ = session;
	if (session.discovery) {
		repeats_.name_processes();
	}
}

void TextReport::add(const LoopFound &loop) {
	advance(loop.start_ns);
	if (loops_.size() < most_loops) {
		if (!loops_.empty() && loops_.begin()->first.first != loop.pid) {
			repeats_.name_processes();
		}
		loops_[{loop.pid, loop.tid}] = summary::format_process(loop.name, loop.comm);
	}
	tally_.name(loop);
	if (many()) {
		newcomers_.add(loop);
		return;
	}
	line(loop_words(loop));
}

void TextReport::add(const Stall &stall) {
	clock_.set(stall.started_at, stall.start_ns);
	now_ns_ = std::max(now_ns_, stall.start_ns + stall.duration_ns); // repeats are told below, this one counted
	const auto known = ongoing_.find(stall.id);
	bool folded = known != ongoing_.end() && known->second.folded && known->second.identity == identity(stall);
	if (!stall.ongoing) {
		tally_.add(stall);
	}
	if (known == ongoing_.end()) {
		if (stall.ongoing) { // a hang is shown at once and in full, however often it happened before
			repeats_.shown(stall, now_ns_);
			if (like_another_process(stall)) {
				SameHang &same = same_hangs_[name_and_identity(stall)];
				same.since_ns = same.pids.empty() ? now_ns_ : same.since_ns;
				same.pids.insert(stall.pid);
				same.words = same_words(stall);
				folded = true;
			} else {
				show_in_full(stall);
			}
		} else if (repeats_.first_of_kind(stall, now_ns_)) {
			show_in_full(stall);
		}
	} else if (known->second.identity != identity(stall)) {
		show_in_full(stall);
	} else if (!folded) {
		show_update(stall);
	}
	if (!stall.ongoing) {
		if (known != ongoing_.end()) {
			ongoing_.erase(known);
		}
	} else if (known != ongoing_.end() || ongoing_.size() < most_ongoing) {
		ongoing_[stall.id] = Shown{identity(stall), without_stacks(stall), folded};
	}
	tell_repeats(false);
}

// What a line that is read at a glance has left for its text; -v and JSON have it whole.
std::size_t TextReport::room(std::uint64_t at_ns, const std::string &whose, std::size_t max_columns) const {
	const std::size_t before = columns_of(clock_.time_of_day(at_ns)) + 2 + columns_of(whose);
	return options_.detail == Detail::everything ? std::string::npos : max_columns - std::min(before, max_columns / 2);
}

std::string TextReport::headline(std::uint64_t at_ns, const std::string &whose, std::string_view text, bool alarming,
                                 std::size_t max_columns) const {
	const std::string shown = shorten(text, room(at_ns, whose, max_columns));
	return fmt::format("{}  {}{}", palette_.faint(clock_.time_of_day(at_ns)), whose,
	                   alarming ? palette_.alarm(shown) : palette_.strong(shown));
}

void TextReport::show_in_full(const Stall &stall) {
	const std::string whose = who(stall);
	const summary::Headline text = summary::format_headline(stall, room(stall.start_ns, whose));
	line(headline(stall.start_ns, whose, text.text, stall.ongoing));
	if (options_.detail != Detail::headlines) {
		pending_ += stall_details(stall, StallStyle{palette_, options_.detail == Detail::everything, text.whole});
	}
}

void TextReport::show_update(const Stall &stall) {
	const std::uint64_t now_ns = stall.start_ns + stall.duration_ns;
	const std::string since = clock_.time_of_day(stall.start_ns);
	const std::string at = summary::format_where(stall);
	const std::string place = at.empty() ? at : ", in " + at;
	if (stall.ongoing) {
		line(headline(now_ns, who(stall),
		              fmt::format("still blocked, {} since {}{}", format_duration(stall.duration_ns), since, place), true));
		return;
	}
	std::string_view end = "runs again: was";
	if (stall.goes_on || stall.truncated == Truncated::session_end) {
		end = "not over when loopsnoop stopped:";
	} else if (stall.truncated == Truncated::target_exit) {
		end = "ended with the process: was";
	}
	const bool lower_bound = stall.truncated == Truncated::before_attach || stall.truncated == Truncated::end_lost;
	const std::string_view least = lower_bound ? "at least " : "";
	const std::string parts = summary::format_breakdown(stall.breakdown);
	line(headline(now_ns, who(stall),
	              fmt::format("{} blocked {}{} since {}{}{}{}", end, least, format_duration(stall.duration_ns), since, place,
	                          parts.empty() ? "" : ": ", parts),
	              false));
}

// In full once, then a line at each doubling of its age, and one for its end.
void TextReport::add(const Standstill &standstill) {
	clock_.set(standstill.started_at, standstill.start_ns);
	const std::uint64_t end_ns = standstill.start_ns + standstill.duration_ns;
	now_ns_ = std::max(now_ns_, end_ns);
	const std::string text = printable(standstill.summary, shown_path_bytes * 4);
	const bool shown = standstills_.contains(standstill.id);
	// Who waits, where, for what, and for whom that waits in turn: a sentence of some length.
	constexpr std::size_t max_columns = 400;
	line(headline(shown ? end_ns : standstill.start_ns, who(standstill), text, standstill.ongoing, max_columns));
	if (!shown && options_.detail != Detail::headlines) {
		pending_ += standstill_details(standstill, StallStyle{palette_, options_.detail == Detail::everything});
	}
	if (!standstill.ongoing) {
		standstills_.erase(standstill.id);
	} else if (standstills_.size() < most_ongoing) {
		standstills_.insert(standstill.id);
	}
	tell_repeats(false);
}

void TextReport::add(const ProcessExit &exit) {
	advance(exit.start_ns);
	const auto first = loops_.lower_bound({exit.pid, 0});
	const bool was_loop = first != loops_.end() && first->first.first == exit.pid;
	const std::string name = was_loop ? first->second : std::string{};
	if (session_ && session_->discovery) {
		std::erase_if(loops_, [&](const auto &loop) { return loop.first.first == exit.pid; });
	}
	if (many()) {
		if (was_loop && exit.signal) {
			line(fmt::format("{}  {} ({}) was killed by {}", palette_.faint(clock_.time_of_day(exit.start_ns)), name,
			                 fmt::format("pid {}", exit.pid), printable(*exit.signal)));
		}
		return;
	}
	line(fmt::format("{}  {}", palette_.faint(clock_.time_of_day(exit.start_ns)), exit_words(exit)));
}

void TextReport::add(const ProcessExec &exec) {
	advance(exec.start_ns);
	if (options_.detail != Detail::headlines && !many()) {
		line(fmt::format("{}  pid {} became {} (exec)", palette_.faint(clock_.time_of_day(exec.start_ns)), exec.pid,
		                 printable(exec.comm)));
	}
}

void TextReport::add(const ProcessFork &fork) {
	advance(fork.start_ns);
	if (options_.detail != Detail::headlines && !many()) {
		line(fmt::format("{}  pid {} forked pid {}", palette_.faint(clock_.time_of_day(fork.start_ns)), fork.pid, fork.child));
	}
}

void TextReport::add(const SessionSummary &summary) { summary_ = summary; }

void TextReport::add(const Dump &dump) {
	pending_ += dump_text(dump, StallStyle{palette_, options_.detail == Detail::everything});
}

void TextReport::add(const TaskSnapshot &snapshot) {
	pending_ += tasks_text(snapshot, StallStyle{palette_, options_.detail == Detail::everything});
}

bool TextReport::like_another_process(const Stall &stall) const {
	if (options_.detail == Detail::everything || stall.name.service.empty()) {
		return false;
	}
	const std::string own = identity(stall);
	return std::ranges::any_of(ongoing_, [&](const auto &entry) {
		const Shown &shown = entry.second;
		return shown.last.pid != stall.pid && shown.last.name.service == stall.name.service && shown.identity == own;
	});
}

void TextReport::tell_same_hangs(bool all) {
	constexpr std::uint64_t pause_ns = 1'000'000'000;
	constexpr std::size_t max_named = 8;
	for (auto entry = same_hangs_.begin(); entry != same_hangs_.end();) {
		const SameHang &same = entry->second;
		if (!all && now_ns_ < same.since_ns + pause_ns) {
			++entry;
			continue;
		}
		std::string pids;
		std::size_t named = 0;
		for (const std::uint32_t pid : same.pids) {
			pids += named < max_named ? fmt::format("{}{}", named == 0 ? "" : ", ", pid) : "";
			named++;
		}
		line(fmt::format("{}  {}", palette_.faint(clock_.time_of_day(now_ns_)),
		                 palette_.alarm(fmt::format("the same in {} more {} of {} (pid {}{})", same.pids.size(),
		                                            same.pids.size() == 1 ? "process" : "processes", same.words, pids,
		                                            named > max_named ? ", …" : ""))));
		entry = same_hangs_.erase(entry);
	}
}

void TextReport::tell_repeats(bool all) {
	tell_same_hangs(all);
	for (const std::string &text : repeats_.due(now_ns_, all)) {
		line(fmt::format("{}  {}", palette_.faint(clock_.time_of_day(now_ns_)), text));
	}
}

void TextReport::line(std::string_view text) { pending_.append(text).append("\n"); }

void TextReport::advance(std::uint64_t now_ns) {
	now_ns_ = std::max(now_ns_, now_ns);
	tell_newcomers(false);
	tell_repeats(false);
}

void TextReport::tell_newcomers(bool all) {
	if (const std::string text = newcomers_.due(now_ns_, all); !text.empty()) {
		line(palette_.faint(clock_.time_of_day(now_ns_)) + "  " + text);
	}
}

void TextReport::flush() {
	const std::string status = status_ && options_.status_line ? status_text() : std::string{};
	if (pending_.empty() && status.empty() && !status_drawn_) {
		return;
	}
	std::string out;
	if (status_drawn_) {
		out = erase_line;
	}
	out += options_.wrap && options_.detail != Detail::headlines ? wrap_lines(pending_, options_.columns) : pending_;
	if (!status.empty()) {
		// One column short of the width: a full line would make some terminals go on to the next.
		out += palette_.faint(cut_to_columns(status, std::max(options_.columns, 2U) - 1));
	}
	pending_.clear();
	status_drawn_ = !status.empty();
	sink_(out);
}

std::string TextReport::status_text() const {
	const Status &now = *status_;
	std::string text =
	    now.loops > 1 ? summary::plural(now.loops, "loop") : fmt::format("pid {} {}", now.pid, printable(now.comm));
	if (now.loops == 0) {
		text = now.pid == 0 ? "no loop yet" : text + " · no loop yet";
	}
	text += fmt::format(" · {} it/s · busy {:.0f} % · stalls {}",
	                    summary::thousands(static_cast<std::uint64_t>(std::max(now.iterations_per_s, 0.0))),
	                    std::clamp(now.busy, 0.0, 1.0) * 100, summary::thousands(now.stalls));
	if (now.stalls > 0) {
		text += fmt::format(" ({})", format_duration(now.stalled_ns));
	}
	if (now.stuck_ns) {
		text += fmt::format(" · stuck now {}", format_duration(*now.stuck_ns));
	}
	if (now.lost > 0) {
		text += fmt::format(" · lost {}", summary::thousands(now.lost));
	}
	return text;
}

} // namespace loopsnoop::output

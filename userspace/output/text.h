// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "model/session.h"
#include "output/newcomers.h"
#include "output/palette.h"
#include "output/repeats.h"
#include "output/tally.h"
#include "output/wall_clock.h"

namespace loopsnoop::output {

enum class Detail : std::uint8_t {
	headlines, // one line a stall
	usual,
	everything, // every wait and frame
};

struct TextOptions {
	bool colour = false;
	bool status_line = false; // terminals only
	unsigned columns = 80;    // of the terminal
	bool wrap = false;        // lines are broken at its width; terminals only
	Detail detail = Detail::usual;
	std::uint64_t repeats_every_ns = 5'000'000'000; // repeats of a stall are told this often
};

// What the status line tells; made by the session, about once a second.
struct Status {
	std::uint64_t now_ns = 0; // CLOCK_MONOTONIC
	std::size_t loops = 0;    // 0: no loop yet
	std::uint32_t pid = 0;    // the process, where it is one
	std::string comm;
	double iterations_per_s = 0;
	double busy = 0; // share of time, 0 to 1
	std::uint64_t stalls = 0;
	std::uint64_t stalled_ns = 0;
	std::optional<std::uint64_t> stuck_ns; // age of the oldest stall running now
	std::uint64_t lost = 0;
	std::vector<std::string> troubles; // what keeps loopsnoop from seeing, a sentence each; all of them each time
};

// The live report for people, and what `loopsnoop report` prints. Records in the order of the recording; the session time of
// repeats is taken from them and from Status. Calls the sink with whole lines, each call complete (status line erased before,
// drawn again after). One thread; no input or output of its own. Memory is bounded however long the session.
class TextReport {
public:
	using Sink = std::function<void(std::string_view)>;

	TextReport(TextOptions options, Sink sink);

	void write(const Record &record);
	void status(const Status &status);
	void set_columns(unsigned columns) { options_.columns = columns; } // after SIGWINCH

	// A line of somebody else (a warning), put in without disturbing the status line; escaped.
	void note(std::string_view text);

	// The end, also of a recording that breaks off: repeats not told yet, tables, status line erased. Idempotent.
	void finish();

private:
	struct Shown {
		std::string identity;
		Stall last;          // without its stacks and waits
		bool folded = false; // like one of another process, which is shown
	};

	void add(const SessionStart &session);
	void add(const LoopFound &loop);
	void add(const Stall &stall);
	void add(const ProcessExit &exit);
	void add(const ProcessExec &exec);
	void add(const ProcessFork &fork);
	void add(const SessionSummary &summary);
	void add(const Dump &dump);
	void add(const Standstill &standstill);
	void add(const TaskSnapshot &snapshot);

	static constexpr std::size_t usual_columns = 200; // of a headline, the terminal's width or not
	[[nodiscard]] std::size_t room(std::uint64_t at_ns, const std::string &whose, std::size_t max_columns = usual_columns) const;
	[[nodiscard]] std::string headline(std::uint64_t at_ns, const std::string &whose, std::string_view text, bool alarming,
	                                   std::size_t max_columns = usual_columns) const;
	[[nodiscard]] bool like_another_process(const Stall &stall) const;
	void tell_same_hangs(bool all);
	void show_in_full(const Stall &stall);
	void show_update(const Stall &stall);
	template <typename Of> [[nodiscard]] std::string who(const Of &of) const;
	void tell_repeats(bool all);
	void line(std::string_view text);
	void advance(std::uint64_t now_ns);
	void flush();
	[[nodiscard]] std::string status_text() const;
	// A host is watched as a whole: single processes that come and go are not worth a line each.
	[[nodiscard]] bool many() const { return session_ && session_->discovery && options_.detail != Detail::everything; }
	void tell_newcomers(bool all);

	TextOptions options_;
	Sink sink_;
	Palette palette_;
	WallClock clock_;
	Repeats repeats_;
	Tally tally_;

	std::string pending_; // output of the call under way
	std::optional<Status> status_;
	std::set<std::string> troubles_; // that were shown
	bool status_drawn_ = false;
	bool finished_ = false;

	std::uint64_t now_ns_ = 0; // session time: the latest seen
	std::optional<SessionStart> session_;
	std::map<std::pair<std::uint32_t, std::uint32_t>, std::string> loops_; // pid, tid: the process's name; bounded
	Newcomers newcomers_;
	std::map<std::uint64_t, Shown> ongoing_; // by stall id; bounded
	// Processes that hang as another one does whose stall is shown, until they are told, together.
	struct SameHang {
		std::set<std::uint32_t> pids;
		std::uint64_t since_ns = 0;
		std::string words;
	};
	std::map<std::string, SameHang> same_hangs_; // by process and identity; no more than stalls that go on
	std::set<std::uint64_t> standstills_;        // ids of those that go on and were shown; bounded
	std::optional<SessionSummary> summary_;
};

} // namespace loopsnoop::output

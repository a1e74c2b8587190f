// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "model/stall.h"
#include "output/loop_names.h"
#include "output/repeats.h"
#include "output/report_lines.h"

namespace loopsnoop::output {

// The stalls of a report: the first of a kind in full, updates of those that go on, repeats and processes that hang alike folded.
// Lines and names outlive it. Memory is bounded. One thread.
class StallLines {
public:
	StallLines(ReportLines &lines, const LoopNames &names)
	    : lines_(lines), names_(names), repeats_(lines.options().repeats_every_ns) {}

	void add(const Stall &stall);
	// Several processes are followed: a folded line says whose it is.
	void name_processes() { repeats_.name_processes(); }
	// Repeats and processes that hang alike whose time to be shown has come; `all`: all that there are.
	void show_folded(bool all);
	// The stalls whose end has not come, without their stacks and waits.
	template <typename Call> void each_ongoing(Call &&call) const {
		for (const auto &[id, shown] : ongoing_) {
			call(shown.last);
		}
	}

private:
	static constexpr std::size_t max_ongoing = 1024; // running at once whose updates are shown as such

	struct Shown {
		std::string identity;
		Stall last;          // without its stacks and waits
		bool folded = false; // like one of another process, which is shown
	};
	// Processes that hang as another one does whose stall is shown, until they are shown, together.
	struct SameHang {
		std::set<std::uint32_t> pids;
		std::uint64_t since_ns = 0;
		std::string words;
	};

	[[nodiscard]] bool like_another_process(const Stall &stall) const;
	[[nodiscard]] bool fold_hang(const Stall &stall);
	void show_in_full(const Stall &stall);
	void show_update(const Stall &stall);
	void show_same_hangs(bool all);

	ReportLines &lines_;
	const LoopNames &names_;
	Repeats repeats_;
	std::map<std::uint64_t, Shown> ongoing_;     // by stall id
	std::map<std::string, SameHang> same_hangs_; // by process and identity; no more than stalls that go on
};

} // namespace loopsnoop::output

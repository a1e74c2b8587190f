// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/pulse.h"
#include "model/cause.h"
#include "model/gauges.h"
#include "model/loss.h"
#include "model/standstill.h"

namespace loopsnoop::exporter {

// A line of the application with what it did: function, file, line, cause. Label values already; empty: not known.
using Culprit = std::tuple<std::string, std::string, std::string, Cause>;

// What the status page says, as of one moment. It holds no more than the metrics' labels do: no stack, no argument, and
// of addresses only those of remotes.
struct Overview {
	struct Loop {
		std::uint32_t pid = 0;
		std::uint32_t tid = 0;
		std::string comm;  // what people call the process, a label value
		std::string place; // the unit or the container, a label value; empty: not known
		std::uint64_t iterations = 0;
		std::uint64_t busy_ns = 0; // since it is followed, the running iteration included
		std::uint64_t idle_ns = 0;
		std::uint64_t stalls = 0;
		std::uint64_t stalled_ns = 0; // of stalls that have ended
		std::uint64_t stuck_ns = 0;   // age of the stall that runs now, once it is old enough to be stuck; 0: none
		std::string stuck_since;      // RFC 3339, UTC; empty: not stuck
		std::optional<Culprit> stuck; // what it hangs in; not known before the stall has been inspected
	};
	struct Stall {
		std::string started_at; // RFC 3339, UTC
		std::uint64_t duration_ns = 0;
		std::uint32_t pid = 0;
		std::uint32_t tid = 0;
		std::string comm; // likewise
		Culprit culprit;
	};
	// A loop that stands still: it is idle, or goes round, and somebody waits.
	struct Standing {
		std::uint32_t pid = 0;
		std::uint32_t tid = 0;
		std::string comm; // a label value
		std::string loop_place;
		StandstillKind kind = StandstillKind::no_answer;
		std::uint64_t for_ns = 0;
		std::string since;        // RFC 3339, UTC
		Culprit where;            // its cause says nothing
		std::string clients = {}; // "3 customers wait, the oldest for 12 s"; empty: nobody is known to
	};
	// What fills up in a process, of all its loops. Its strings are label values.
	struct Filling {
		std::uint32_t pid = 0;
		std::uint32_t tid = 0; // of its first loop
		std::string comm;
		std::string loop_place;
		ProcessGauges first; // when it was known first
		ProcessGauges last;
	};
	struct PerCause {
		std::uint64_t stalls = 0; // by the cause with most of their time
		std::uint64_t ns = 0;     // of all stalls, by what the time went to
	};

	std::string version;
	std::string now;                            // RFC 3339, UTC
	std::uint64_t threshold_ns = 0;             // what a stall is
	std::uint64_t hang_after_ns = 0;            // and what a loop is that is stuck
	std::vector<Loop> loops;                    // stuck ones first, longest first; then by pid
	std::vector<Standing> standing;             // longest first
	std::vector<Standing> stood;                // that are over, latest first; `for_ns` is how long they lasted
	std::vector<Filling> filling;               // a process each, in the order of the loops
	std::vector<Stall> recent;                  // that have ended, latest first
	std::uint64_t recent_bound = 0;             // more than so many are not kept
	std::array<PerCause, cause_count> causes{}; // of the loops above
	LossCounts lost{};
	std::vector<Pulse::Reading> own_threads; // loopsnoop's
};

} // namespace loopsnoop::exporter

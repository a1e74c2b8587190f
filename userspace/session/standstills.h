// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "analysis/standstill.h"
#include "analysis/stuck_tasks.h"
#include "inspect/inspector.h"
#include "model/event.h"
#include "model/session.h"
#include "model/standstill.h"
#include "session/context.h"
#include "session/gauges.h"
#include "session/loop_registry.h"
#include "session/process_facts.h"

namespace loopsnoop::session {

// Loops that are idle, or go round, while somebody waits. Snapshots are taken each --stuck-after (15 s at most) while nobody
// does, each second while something may, and never more than a thousandth of the time. A standstill is reported once it is
// --stuck-after old, again each time its age doubles, and its end once. One thread.
class Standstills {
public:
	Standstills(const Context &context, ProcessFacts &facts, LoopRegistry &loops, inspect::Inspector &inspector);

	// A few times a second; does nothing most of the time. True: snapshots were taken.
	bool tick();
	// Those that go on get their last record.
	void finish();

	// Idle processes that somebody waits for, as the session ends.
	[[nodiscard]] std::vector<WaitedFor> waited_for();
	// What each loop's process had at its last snapshot, and what of it has grown. A loop has one each --stuck-after, and its
	// process's files are read once a minute.
	[[nodiscard]] std::vector<ProcessGauges> gauges() const { return gauges_.current(); }
	[[nodiscard]] std::vector<GaugesChange> grown();
	[[nodiscard]] std::uint64_t reported() const { return reported_; }
	// Age of the oldest one that goes on; nullopt: there is none.
	[[nodiscard]] std::optional<std::uint64_t> oldest_ns() const;

private:
	using Care = inspect::TaskInspector::Care;

	struct Snapshot {
		std::uint64_t time_ns = 0;
		LoopState state;
		std::optional<TaskLoop> tasks;
	};
	struct Ongoing {
		std::uint64_t id = 0;
		std::uint64_t start_ns = 0;
		std::uint64_t next_age_ns = 0;
		unsigned missed = 0; // snapshots in a row that found nothing
		Standstill last;
	};
	struct Watched {
		std::uint64_t due_ns = 0;
		std::optional<Snapshot> before;
		std::uint64_t next_tasks_ns = 0;
		std::uint64_t next_gauges_ns = 0;
		analysis::TaskAges ages;
		std::uint64_t deadlock_since_ns = 0;
		unsigned again = 0; // snapshots in a row after which another was wanted before it is said what is wrong
		std::map<int, std::uint64_t> ready_since_ns; // descriptors that seem ready all the time
		std::optional<Ongoing> ongoing;
	};

	void examine(Watched &watched, const LoopState &state, bool serves, std::uint64_t now_ns);
	[[nodiscard]] analysis::LoopSituation situation(Watched &watched, const Snapshot &now,
	                                                std::optional<ConnectionsSnapshot> connections);
	[[nodiscard]] std::optional<TaskLoop> read_tasks(Watched &watched, const LoopState &state, Care care, bool again,
	                                                 std::uint64_t now_ns);
	[[nodiscard]] std::optional<analysis::ReadyDescriptor> find_ready(Watched &watched, const LoopState &state,
	                                                                  std::uint64_t now_ns);
	[[nodiscard]] bool pool_stuck(const LoopState &state);
	[[nodiscard]] Standstill record(const Watched &watched, const LoopState &state, const analysis::LoopSituation &situation,
	                                const analysis::StandstillVerdict &verdict);
	void add_threads(Standstill &standstill);
	// What a loop that goes round without sleeping calls.
	[[nodiscard]] std::optional<SourceFrame> callback(const Watched &watched, const LoopState &state,
	                                                  const analysis::LoopSituation &situation);
	void report(Watched &watched, const LoopState &state, const analysis::LoopSituation &situation,
	            const analysis::StandstillVerdict &verdict);
	void end(Watched &watched, Truncated how, std::uint64_t now_ns);

	const Context &context_;
	ProcessFacts &facts_;
	LoopRegistry &loops_;
	inspect::Inspector &inspector_;
	Gauges gauges_;
	const bool reports_; // --stuck-after 0 ends reports, not gauges
	std::map<LoopKey, Watched> watched_;
	std::uint64_t next_round_ns_ = 0;
	std::uint64_t round_pause_ns_ = 0;
	std::uint64_t next_due_ns_ = 0;
	std::uint64_t next_id_ = 1;
	std::uint64_t reported_ = 0;
};

} // namespace loopsnoop::session

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/pulse.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "collector/collector.h"
#include "discovery/discovery.h"
#include "discovery/launch.h"
#include "process/procfs.h"
#include "session/clock.h"
#include "session/command_end.h"
#include "session/event_queue.h"
#include "session/follow.h"
#include "session/follower.h"
#include "session/live_numbers.h"
#include "session/session_parts.h"
#include "session/status_meter.h"

namespace loopsnoop::session {

// What a session is made of before it follows anybody.
struct Prepared {
	process::ProcFs proc;
	Clock clock;
	std::vector<collector::FollowRequest> requests; // the processes that were named, the command included
	std::vector<NotFollowed> workers;               // see SessionStart
	std::optional<discovery::Discovery> discovery;
	std::optional<discovery::Launch> launch;
	UniqueFd signals;
	std::vector<std::string> missing; // what was named and is not there, a sentence each
};

// One session, from the first thread that is followed to the summary: begin(), run(), finish(). One thread. Settings, outputs and
// collector outlive it.
class Session {
public:
	Session(const Settings &settings, const Outputs &outputs, collector::Collector &collector, Prepared prepared);
	Session(const Session &) = delete;
	Session &operator=(const Session &) = delete;
	Session(Session &&) = delete;
	Session &operator=(Session &&) = delete;
	~Session() = default;

	// Follows all that is there; writes the session's record, then inspects every process. The Error is one line for a
	// person.
	[[nodiscard]] Result<void> begin();
	// Until the time is over, nobody is left to follow, nobody reads any more, or a signal says so.
	void run();
	// What still runs gets its last record; the summary.
	[[nodiscard]] FollowEnd finish();

private:
	void write(const Record &record);
	void drain(std::uint64_t until_ns = ~0ULL);
	void tick();
	void report_status();
	void wait_until(std::uint64_t time_ns);
	[[nodiscard]] std::uint64_t now_ns() const { return prepared_.clock.monotonic(); }
	[[nodiscard]] SessionSummary summary();
	[[nodiscard]] LossCounts losses() const;

	const Settings &settings_;
	const Outputs &outputs_;
	collector::Collector &collector_;
	Prepared prepared_;
	CommandEnd command_{prepared_.launch, prepared_.proc, prepared_.clock};
	SessionParts parts_;
	Follower follower_;
	EventQueue events_;
	StatusMeter meter_;
	Pulse pulse_{"session"};
	std::vector<WaitedFor> waited_for_; // at the end
	std::vector<Record> early_;         // until the session record is out, the others wait
	bool begun_ = false;
	bool going_on_ = true; // somebody reads
	std::uint64_t start_ns_ = 0;
	FollowEnd end_;
	std::optional<LiveNumbersLender> live_; // until the summary is out
};

} // namespace loopsnoop::session

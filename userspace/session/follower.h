// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "collector/collector.h"
#include "discovery/discovery.h"
#include "model/event.h"
#include "session/session_parts.h"

namespace loopsnoop::session {

// Whom a session follows: those that were named, those below them, and those that discovery finds. `drain`: handles the events
// that have come, which a process has as soon as it is followed. What it is given outlives it. One thread.
class Follower {
public:
	using Requests = std::vector<collector::FollowRequest>;

	Follower(const Requests &named, std::optional<discovery::Discovery> &discovery, SessionParts &parts,
	         std::function<void()> drain)
	    : named_(named), discovery_(discovery), parts_(parts), drain_(std::move(drain)) {}

	// Those that were named; returns those that were found besides. The Error is one line for a person.
	[[nodiscard]] Result<Requests> begin();
	// Follows what discovery has found meanwhile, and inspects it.
	void go_on();
	// Inspects those that begin() has found: some may have ended unseen.
	void inspect(const Requests &found);
	void on(const Candidate &candidate);
	// It goes on to search for processes.
	[[nodiscard]] bool discovers() const { return discovery_.has_value(); }

private:
	[[nodiscard]] Requests take_up();
	void follow_found(const Requests &found);

	const Requests &named_;
	std::optional<discovery::Discovery> &discovery_;
	SessionParts &parts_;
	std::function<void()> drain_;
};

} // namespace loopsnoop::session

// SPDX-License-Identifier: Apache-2.0
#include "session/follower.h"

#include <algorithm>
#include <iterator>

#include "discovery/requests.h"

namespace loopsnoop::session {

void Follower::on(const Candidate &candidate) {
	if (discovery_) {
		discovery_->on(candidate);
	}
}

void Follower::follow_found(const Requests &found) {
	for (const collector::FollowRequest &request : found) {
		parts_.processes.expect(request.pid, Processes::Asked::found);
	}
	parts_.context.collector.followed().follow_all(found);
	for (const collector::FollowRequest &request : found) {
		parts_.attach.correct_private_polls(request.pid);
	}
	drain_();
}

Follower::Requests Follower::take_up() {
	auto found = discovery_->take(parts_.context.collector, parts_.context.now_ns(),
	                              [&](std::uint32_t pid) { return parts_.processes.contains(pid); });
	follow_found(found);
	return found;
}

void Follower::inspect(const Requests &found) {
	for (const collector::FollowRequest &request : found) {
		// One that is gone may have ended after it was followed: then the kernel has said so.
		if (!parts_.context.proc.exists(request.pid)) {
			drain_();
		}
		parts_.processes.forget_unseen(request.pid);
		parts_.attach.inspect(request.pid);
	}
}

void Follower::go_on() {
	if (discovery_) {
		inspect(take_up());
	}
}

Result<Follower::Requests> Follower::begin() {
	for (const collector::FollowRequest &request : named_) {
		parts_.processes.expect(request.pid, Processes::Asked::by_name);
		if (auto followed = parts_.context.collector.followed().follow(request); !followed) {
			return followed.error();
		}
		parts_.attach.correct_private_polls(request.pid);
	}
	drain_();
	for (const collector::FollowRequest &request : named_) {
		parts_.attach.probe_sleeping_poll(request.pid);
	}
	drain_();
	Requests found;
	// Until there are no more: they may fork before they are followed. Those that a followed one forks are followed already.
	for (;;) {
		auto below = discovery::descendants_of(named_, parts_.context.proc);
		std::erase_if(below, [&](const collector::FollowRequest &request) { return parts_.processes.contains(request.pid); });
		if (below.empty()) {
			break;
		}
		follow_found(below);
		std::ranges::move(below, std::back_inserter(found));
	}
	if (discovery_) {
		std::ranges::move(take_up(), std::back_inserter(found));
	}
	return found;
}

} // namespace loopsnoop::session

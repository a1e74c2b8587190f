// SPDX-License-Identifier: Apache-2.0
#include "summary/peer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <variant>
#include <vector>

#include "analysis/circumstances.h"
#include "summary/place.h"
#include "summary/wait_chain.h"

namespace loopsnoop::summary {

namespace {

std::string called(const PeerSnapshot &peer) {
	return fmt::format("{} (pid {})", peer.name.empty() ? peer.comm : peer.name, peer.pid);
}

bool runs(const ThreadView &thread) {
	return thread.state == ThreadView::State::running || thread.state == ThreadView::State::runnable || thread.moved;
}

// It waits for the process that the stall is of.
std::string waits_for_us(const PeerSnapshot &peer) {
	const ThreadView &thread = peer.thread;
	const auto *pipe = thread.resource ? std::get_if<PipeResource>(&thread.resource->is) : nullptr;
	if (pipe != nullptr && (thread.syscall == "write" || thread.syscall == "writev")) {
		return fmt::format(", which is in {}() to a full {} that only this process reads", *thread.syscall,
		                   pipe->path ? "FIFO " + *pipe->path : "pipe");
	}
	if (pipe != nullptr) {
		return ", which reads from a pipe that this process writes to";
	}
	if (thread.resource && std::holds_alternative<ProcessResource>(thread.resource->is)) {
		return ", which waits for the end of this process";
	}
	return ", which itself waits for an answer from this process" + format_at(thread);
}

// Empty: it is idle, computes, or nobody knows.
std::string activity(const PeerSnapshot &peer, const Resource &resource) {
	const ThreadView &thread = peer.thread;
	if (peer.waits_for_us) {
		return waits_for_us(peer);
	}
	if (const std::string_view in_title = activity_in_title(peer.title); !in_title.empty() && in_title != "idle") {
		return fmt::format(", whose title says \"{}\"", in_title);
	}
	if (runs(thread)) {
		return {};
	}
	// In a poll call it waits for work, as far as can be seen.
	constexpr std::array worth_saying{Cause::socket, Cause::pipe,  Cause::file_io, Cause::futex,
	                                  Cause::sleep,  Cause::child, Cause::stopped};
	const bool stopped = thread.state == ThreadView::State::stopped;
	if (!stopped && (!thread.cause || std::ranges::find(worth_saying, *thread.cause) == worth_saying.end())) {
		return {};
	}
	const auto *socket = std::get_if<SocketResource>(&resource.is);
	const bool said = socket != nullptr && socket->state == "SYN_SENT"; // "which does not answer"
	return (said ? ", and " : ", which ") + format_activity(thread) + format_at(thread);
}

} // namespace

// "postgres: CLUSTER: USER DATABASE HOST(PORT) ACTIVITY", "… [local] ACTIVITY"; src/backend/utils/misc/ps_status.c.
std::string_view activity_in_title(std::string_view title) {
	if (!title.starts_with("postgres: ")) {
		return {};
	}
	for (const std::string_view end_of_client : {"[local] ", ") "}) {
		if (const std::size_t at = title.find(end_of_client); at != std::string_view::npos) {
			return title.substr(at + end_of_client.size());
		}
	}
	return {};
}

std::vector<PeerLink> peer_chain(const Stall &stall) {
	const Resource *resource = analysis::last_resource(stall);
	if (!stall.peer || resource == nullptr) {
		return {};
	}
	std::vector<PeerLink> links{{called(*stall.peer), activity(*stall.peer, *resource), false}};
	for (const PeerSnapshot &one : stall.beyond) {
		if (links.back().activity.empty()) {
			break;
		}
		if (!one.title.empty()) { // who holds a row lock is not to be seen from outside
			links.push_back({called(one),
			                 fmt::format(", whose title says \"{}\"{}", activity_in_title(one.title),
			                             one.waits_for_us ? " and whose client is this very process" : ""),
			                 true});
			return links;
		}
		links.push_back({called(one), activity(one, {}), false});
	}
	return links;
}

std::string format_peer_activity(const Stall &stall, std::size_t links_said) {
	std::string text;
	std::size_t said = 0;
	for (const PeerLink &link : peer_chain(stall)) {
		if (!link.activity.empty() && said++ == links_said) {
			return text + ", …";
		}
		text += link.inferred ? fmt::format("; that is probably held up by {}{}", link.who, link.activity) : link.activity;
	}
	return text;
}

} // namespace loopsnoop::summary

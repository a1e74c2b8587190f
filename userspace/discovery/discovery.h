// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/pattern.h"
#include "base/result.h"
#include "collector/collector.h"
#include "model/event.h"
#include "process/procfs.h"

namespace loopsnoop::discovery {

// Which of the processes that nobody named are followed. All conditions given must hold; no list: any process of the host.
struct DiscoverySettings {
	std::vector<std::string> comms;   // extended regular expressions; one of them matches one of the process's names
	std::vector<std::string> cgroups; // the process is in one of them or below it
	bool children = false;            // those that a found process forks are followed whatever they do
	[[nodiscard]] bool any_condition() const { return !comms.empty() || !cgroups.empty(); }
};

// Finds the processes that have an event loop. The kernel side reports one that polls like a loop; a census at the start and
// every few seconds finds those that sleep, and known servers that hang before they poll. A process that does neither costs one
// entry of the census, and nothing in between. One thread.
class Discovery {
public:
	// The Error is one line for a person: an expression that is none, a cgroup that does not exist.
	[[nodiscard]] static Result<Discovery> create(const DiscoverySettings &settings, process::ProcFs proc);

	void on(const Candidate &candidate);
	// Those to follow from now on. Takes a census now and then; a process that is `followed` already is passed over.
	[[nodiscard]] std::vector<collector::FollowRequest> take(collector::Collector &collector, std::uint64_t now_ns,
	                                                         const std::function<bool(std::uint32_t)> &followed);

	// The expressions, where no process that runs now has a name that one of them matches; empty: some has, or there are none.
	[[nodiscard]] std::vector<std::string> without_match() const;

private:
	explicit Discovery(process::ProcFs proc) : proc_(std::move(proc)) {}

	enum class Evidence : std::uint8_t { epoll, poll, server, holds_epoll };
	// What stays true of a process until it becomes another program.
	struct Known {
		std::uint64_t born_ns = 0;
		std::uint32_t program = 0;
		std::uint32_t seen = 0; // censuses
		bool python = false;
		bool server = false;         // of a kind that has an event loop, by the name of its program
		std::optional<bool> wanted;  // by its names; asked again now and then
		std::optional<bool> no_loop; // loopsnoop, or one whose polling threads are no loops; nullopt: not examined
	};

	[[nodiscard]] std::vector<collector::FollowRequest> judge_census(const std::vector<UnfollowedThread> &unfollowed);
	[[nodiscard]] std::string program_of(std::uint32_t pid, const std::string &comm) const;
	[[nodiscard]] bool has_no_loop(std::uint32_t pid, const std::string &comm) const;
	[[nodiscard]] std::optional<Evidence> evidence_of(const UnfollowedThread &main, bool epoll, const Known &known) const;
	[[nodiscard]] bool is_named(std::uint32_t pid, const std::string &comm) const;
	[[nodiscard]] bool wanted(std::uint32_t pid, const std::string &comm) const;
	[[nodiscard]] bool is_ours(std::uint32_t pid) const;
	[[nodiscard]] bool runs_at_terminal(std::uint32_t pid) const;
	[[nodiscard]] collector::FollowRequest request(std::uint32_t pid, Evidence evidence) const;

	process::ProcFs proc_;
	std::vector<Pattern> comms_;
	std::vector<std::string> expressions_; // that they were made from
	std::vector<std::string> cgroups_;
	bool children_ = false;
	std::vector<Candidate> candidates_;
	std::map<std::uint32_t, Known> known_; // those that nobody follows, of the last census
	std::uint64_t next_census_ns_ = 0;
	bool first_ = true;
};

} // namespace loopsnoop::discovery

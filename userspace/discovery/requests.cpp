// SPDX-License-Identifier: Apache-2.0
#include "discovery/requests.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "discovery/loop_evidence.h"
#include "process/process_name.h"
#include "process/serving_sockets.h"
#include "process/target_check.h"

namespace loopsnoop::discovery {

namespace {

constexpr std::size_t max_examined = 64; // of the processes below one that was named

// The processes below these that can be followed and are not in `seen`, which they are added to; at most so many. Not loopsnoop
// itself, below the shell that was named, nor what is a zombie already.
std::vector<std::uint32_t> below(std::vector<std::uint32_t> parents, std::set<std::uint32_t> &seen, const process::ProcFs &proc,
                                 std::size_t max_found) {
	std::vector<std::uint32_t> found;
	while (!parents.empty()) {
		const std::uint32_t parent = parents.back();
		parents.pop_back();
		for (const std::uint32_t pid : proc.children(parent)) {
			if (found.size() < max_found && seen.insert(pid).second && process::check_target(proc, pid)) {
				found.push_back(pid);
				parents.push_back(pid);
			}
		}
	}
	return found;
}

std::string why(const Error &error) {
	return error.code == ESRCH ? "there is no such process (any more); the others are followed"
	                           : error.advice + "; the others are followed";
}

bool in_a_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Whether the text has the name, and not as a part of a longer word.
bool has_word(const std::string &text, const std::string &name) {
	for (std::size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
		const std::size_t end = at + name.size();
		if ((at == 0 || !in_a_word(text[at - 1])) && (end == text.size() || !in_a_word(text[end]))) {
			return true;
		}
	}
	return false;
}

// Whose command line has that as a word, although it does not go by it: a shell, say.
std::string hint_for(const std::string &name, const std::vector<std::uint32_t> &pids, const process::ProcFs &proc) {
	for (const std::uint32_t pid : pids) {
		const process::ProgramFacts facts = process::program_facts(proc, pid);
		const ProcessName called = process::name_of(facts);
		if (pid != static_cast<std::uint32_t>(getpid()) && facts.program != "loopsnoop" && facts.program != "sudo" &&
		    has_word(called.command, name)) {
			return "it is in the command line of " + called.service + ": -p " + std::to_string(pid);
		}
	}
	return "see ps -e; to start it: loopsnoop -- " + name;
}

} // namespace

Result<std::vector<std::uint32_t>> pids_named(const std::string &name, const process::ProcFs &proc) {
	std::vector<std::uint32_t> found;
	const std::vector<std::uint32_t> pids = proc.pids();
	for (const std::uint32_t pid : pids) {
		const process::ProgramFacts facts = process::program_facts(proc, pid);
		if (facts.program != "loopsnoop" && process::goes_by(facts, name) && process::check_target(proc, pid)) {
			found.push_back(pid);
		}
	}
	if (found.empty()) {
		return make_error("find a process that goes by '" + name + "'", {}, hint_for(name, pids, proc));
	}
	return found;
}

Result<std::vector<collector::FollowRequest>> requests_for(const std::vector<std::uint32_t> &pids,
                                                           const std::vector<std::uint32_t> &tids, bool children,
                                                           const process::ProcFs &proc, std::vector<std::string> &missing) {
	std::vector<collector::FollowRequest> requests;
	std::optional<Error> first_missing;
	const auto add = [&](std::uint32_t pid, std::optional<std::uint32_t> tid) -> Result<void> {
		if (auto checked = process::check_target(proc, pid); !checked) {
			return checked.error();
		}
		for (collector::FollowRequest &request : requests) {
			if (request.pid == pid) {
				request.forced_tid = tid ? tid : request.forced_tid;
				return {};
			}
		}
		requests.push_back({pid, children, tid});
		return {};
	};
	for (const std::uint32_t pid : pids) {
		if (auto added = add(pid, std::nullopt); !added) {
			if (pids.size() == 1) {
				return added.error();
			}
			missing.push_back("process " + std::to_string(pid) + ", which was named: " + why(added.error()));
			first_missing = first_missing ? first_missing : added.error();
		}
	}
	if (requests.empty() && first_missing) {
		return *first_missing;
	}
	for (const std::uint32_t tid : tids) {
		const auto status = proc.status(tid);
		if (!status) {
			return Error{"follow", "tid " + std::to_string(tid), ESRCH, "list a process's threads with: ls /proc/PID/task"};
		}
		if (!pids.empty() && std::find(pids.begin(), pids.end(), status->tgid) == pids.end()) {
			return make_error("follow", "tid " + std::to_string(tid),
			                  "it is a thread of process " + std::to_string(status->tgid) + ", not of the one given with -p");
		}
		if (auto added = add(status->tgid, tid); !added) {
			return added.error();
		}
	}
	return requests;
}

std::vector<collector::FollowRequest> descendants_of(const std::vector<collector::FollowRequest> &named,
                                                     const process::ProcFs &proc) {
	std::set<std::uint32_t> seen;
	std::vector<std::uint32_t> parents;
	for (const collector::FollowRequest &request : named) {
		seen.insert(request.pid);
		if (request.children) {
			parents.push_back(request.pid);
		}
	}
	std::vector<collector::FollowRequest> found;
	for (const std::uint32_t pid : below(std::move(parents), seen, proc, SIZE_MAX)) {
		collector::FollowRequest request{pid, true, std::nullopt};
		request.found = true;
		request.server = has_event_queue(proc, pid);
		found.push_back(request);
	}
	return found;
}

std::vector<NotFollowed> follow_workers(std::vector<collector::FollowRequest> &named, const process::ProcFs &proc) {
	std::set<std::uint32_t> seen;
	for (const collector::FollowRequest &request : named) {
		seen.insert(request.pid);
	}
	std::vector<NotFollowed> all;
	for (collector::FollowRequest &request : named) {
		if (request.children || request.forced_tid || has_event_queue(proc, request.pid)) {
			continue;
		}
		std::vector<std::uint32_t> workers = below({request.pid}, seen, proc, max_examined);
		std::erase_if(workers, [&](std::uint32_t pid) {
			const auto sockets = process::serving_sockets(proc, pid);
			return !sockets || (!sockets->event_queue && sockets->listening.empty());
		});
		if (!workers.empty()) {
			request.children = true;
			std::ranges::sort(workers);
			all.push_back({request.pid, proc.comm(request.pid), std::move(workers),
			               process::name_of(process::program_facts(proc, request.pid)).service});
		}
	}
	return all;
}

std::vector<NotFollowed> not_followed(const std::vector<collector::FollowRequest> &named, const process::ProcFs &proc) {
	std::set<std::uint32_t> seen;
	for (const collector::FollowRequest &request : named) {
		seen.insert(request.pid);
	}
	std::vector<NotFollowed> all;
	for (const collector::FollowRequest &request : named) {
		if (request.children) {
			continue;
		}
		std::vector<std::uint32_t> children = below({request.pid}, seen, proc, max_examined);
		std::erase_if(children, [&](std::uint32_t pid) { return !has_event_queue(proc, pid); });
		if (!children.empty()) {
			std::ranges::sort(children);
			all.push_back({request.pid, proc.comm(request.pid), std::move(children),
			               process::name_of(process::program_facts(proc, request.pid)).service});
		}
	}
	return all;
}

} // namespace loopsnoop::discovery

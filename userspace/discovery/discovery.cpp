// SPDX-License-Identifier: Apache-2.0
#include "discovery/discovery.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

#include "discovery/loop_evidence.h"
#include "process/placement.h"
#include "process/process_name.h"
#include "process/pseudo_file.h"
#include "process/text.h"
#include "runtimes/go_program.h"

namespace loopsnoop::discovery {

namespace {

constexpr std::uint64_t census_pause_ns = 5'000'000'000;

// Programs whose main thread runs an event loop, so that one which hangs before it has polled is worth a word. Only with an epoll
// descriptor: without one there is no loop, or none yet.
constexpr std::array<std::string_view, 16> servers{
    "node",  "nodejs",    "nginx",    "redis-server", "redis-sentinel", "valkey-server", "keydb-server", "haproxy",
    "envoy", "memcached", "lighttpd", "mosquitto",    "squid",          "unbound",       "dnsmasq",      "varnishd",
};

// Programs that wait in epoll calls without being loops. A backend of PostgreSQL serves one connection: a slow query keeps nobody
// else waiting.
constexpr std::array<std::string_view, 1> no_loops{"postgres"};

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_server_name(std::string_view name) { return std::ranges::find(servers, name) != servers.end(); }

} // namespace

Result<Discovery> Discovery::create(const DiscoverySettings &settings, process::ProcFs proc) {
	Discovery made(std::move(proc));
	for (const std::string &expression : settings.comms) {
		auto pattern = Pattern::compile(expression);
		if (!pattern) {
			return pattern.error();
		}
		made.comms_.push_back(std::move(*pattern));
		made.expressions_.push_back(expression);
	}
	for (const std::string &text : settings.cgroups) {
		std::string path = process::cgroup_path(made.proc_, text);
		if (!process::cgroup_exists(made.proc_, path)) {
			return Error{"follow the cgroup", text, ENOENT, "see systemd-cgls, or /proc/PID/cgroup of a process in it"};
		}
		made.cgroups_.push_back(std::move(path));
	}
	made.children_ = settings.children;
	return made;
}

void Discovery::on(const Candidate &candidate) { candidates_.push_back(candidate); }

// By the kernel's name for it, or by one that people call it.
bool Discovery::is_named(std::uint32_t pid, const std::string &comm) const {
	const auto matches = [&](const std::string &name) {
		return std::ranges::any_of(comms_, [&](const Pattern &pattern) { return pattern.matches(name); });
	};
	return matches(comm) || std::ranges::any_of(process::all_names(process::program_facts(proc_, pid)), matches);
}

std::vector<std::string> Discovery::without_match() const {
	const std::vector<std::uint32_t> pids = comms_.empty() ? std::vector<std::uint32_t>() : proc_.pids();
	const auto own = static_cast<std::uint32_t>(getpid());
	return std::ranges::any_of(pids, [&](std::uint32_t pid) { return pid != own && is_named(pid, proc_.comm(pid)); })
	           ? std::vector<std::string>()
	           : expressions_;
}

bool Discovery::wanted(std::uint32_t pid, const std::string &comm) const {
	if (!comms_.empty() && !is_named(pid, comm)) {
		return false;
	}
	if (cgroups_.empty()) {
		return true;
	}
	const std::vector<process::Cgroup> in = proc_.cgroups(pid);
	return std::ranges::any_of(cgroups_, [&](const std::string &path) { return process::is_in_cgroup(in, path); });
}

// Field 7 of /proc/PID/stat, proc(5).
bool Discovery::runs_at_terminal(std::uint32_t pid) const {
	constexpr std::size_t longest_stat = 4096;
	constexpr int words_before = 4;
	const auto text = process::read_pseudo_file(proc_.path_of(pid, "stat"), longest_stat);
	const std::size_t end_of_name = text ? text->rfind(')') : std::string::npos;
	if (end_of_name == std::string::npos) {
		return false;
	}
	process::Words words(std::string_view(*text).substr(end_of_name + 1));
	return words.skip_and_next(words_before) != "0";
}

std::string Discovery::program_of(std::uint32_t pid, const std::string &comm) const {
	const auto exe = proc_.exe(pid);
	return std::string(exe ? base_name(exe->path) : std::string_view(comm));
}

// This process, another loopsnoop, and what either leaves behind; programs that poll and have no loop.
bool Discovery::has_no_loop(std::uint32_t pid, const std::string &comm) const {
	const std::string program = program_of(pid, comm);
	if (pid == static_cast<std::uint32_t>(getpid()) || program == "loopsnoop") {
		return true;
	}
	const bool asked_for = !comms_.empty();
	return (!asked_for && std::ranges::find(no_loops, std::string_view(program)) != no_loops.end()) ||
	       runtimes::is_go_program(proc_, pid);
}

collector::FollowRequest Discovery::request(std::uint32_t pid, Evidence evidence) const {
	collector::FollowRequest made;
	made.pid = pid;
	made.children = children_;
	made.found = true;
	made.server = evidence == Evidence::server;
	return made;
}

std::vector<collector::FollowRequest> Discovery::take(collector::Collector &collector, std::uint64_t now_ns,
                                                      const std::function<bool(std::uint32_t)> &followed) {
	std::map<std::uint32_t, collector::FollowRequest> found;
	for (const Candidate &candidate : std::exchange(candidates_, {})) {
		if (found.contains(candidate.pid) || followed(candidate.pid) || !wanted(candidate.pid, candidate.comm)) {
			continue;
		}
		if (candidate.weak && runs_at_terminal(candidate.pid)) {
			continue; // an editor, sudo, ssh
		}
		if (!has_no_loop(candidate.pid, candidate.comm)) {
			found.emplace(candidate.pid, request(candidate.pid, candidate.weak ? Evidence::poll : Evidence::epoll));
		}
	}
	if (now_ns >= next_census_ns_) {
		next_census_ns_ = now_ns + census_pause_ns;
		for (const collector::FollowRequest &one : judge_census(collector.followed().census())) {
			if (!followed(one.pid)) {
				found.emplace(one.pid, one);
			}
		}
		first_ = false;
	}
	std::vector<collector::FollowRequest> requests;
	requests.reserve(found.size());
	for (const auto &[pid, one] : found) {
		requests.push_back(one);
	}
	return requests;
}

std::optional<Discovery::Evidence> Discovery::evidence_of(const UnfollowedThread &main, bool epoll, const Known &known) const {
	if (epoll) {
		return Evidence::epoll;
	}
	// Commands that wait for a moment come and go between two censuses. At the start nobody has been seen before.
	timespec now{};
	clock_gettime(CLOCK_BOOTTIME, &now);
	const std::uint64_t now_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
	const bool settled = known.seen > 1 || (first_ && now_ns - std::min(now_ns, main.born_ns) >= census_pause_ns);
	if (!settled) {
		return std::nullopt;
	}
	// In the middle of a callback, as long as it takes to be found: its stack decides whether that is one of a loop. Later on
	// only where the stack says so for sure, in Python. A server by its name needs no such sign.
	const bool server = known.server && !main.copy;
	if ((server || known.python || first_) && has_event_queue(proc_, main.pid)) {
		return server ? Evidence::server : Evidence::holds_epoll;
	}
	if (main.in == UnfollowedThread::In::poll && !runs_at_terminal(main.pid)) {
		return Evidence::poll;
	}
	return std::nullopt;
}

std::vector<collector::FollowRequest> Discovery::judge_census(const std::vector<UnfollowedThread> &unfollowed) {
	struct Process {
		const UnfollowedThread *main = nullptr;
		bool epoll = false;
		bool pool = false;
		std::set<int> poll_fds;
	};
	std::map<std::uint32_t, Process> processes;
	for (const UnfollowedThread &thread : unfollowed) {
		Process &process = processes[thread.pid];
		if (thread.pid == thread.tid) {
			process.main = &thread;
		}
		if (thread.in == UnfollowedThread::In::epoll) {
			process.epoll = true;
			process.pool = process.pool || (thread.poll_fd && !process.poll_fds.insert(*thread.poll_fd).second);
		}
	}
	std::vector<collector::FollowRequest> found;
	std::map<std::uint32_t, Known> known;
	for (const auto &[pid, process] : processes) {
		if (process.main == nullptr) {
			continue; // it is followed already, or its main thread has ended
		}
		const UnfollowedThread &main = *process.main;
		const auto before = known_.find(pid);
		Known &now = known[pid];
		if (before != known_.end() && before->second.born_ns == main.born_ns && before->second.program == main.program) {
			now = before->second;
		} else {
			now.born_ns = main.born_ns;
			now.program = main.program;
			const std::string program = program_of(pid, main.thread);
			now.server = is_server_name(program);
			now.python = program.starts_with("python3");
		}
		now.seen++;
		const auto evidence = process.pool ? std::nullopt : evidence_of(main, process.epoll, now);
		if (!evidence || now.no_loop == true) {
			continue;
		}
		constexpr std::uint32_t titles_stay = 12; // censuses: a minute
		if (!now.wanted || now.seen % titles_stay == 0) {
			now.wanted = wanted(pid, main.thread);
		}
		if (!*now.wanted) {
			continue;
		}
		if (!now.no_loop) {
			now.no_loop = has_no_loop(pid, main.thread);
		}
		if (!*now.no_loop) {
			found.push_back(request(pid, *evidence));
		}
	}
	known_ = std::move(known);
	return found;
}

} // namespace loopsnoop::discovery

// SPDX-License-Identifier: Apache-2.0
#include "session/follow.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base/capabilities.h"
#include "base/confinement.h"
#include "collector/collector.h"
#include "discovery/requests.h"
#include "session/session.h"
#include "session/signals.h"

namespace loopsnoop::session {

namespace {

// Each loop has two perf events, and shells allow 1024 descriptors unless asked.
void allow_many_descriptors() {
	rlimit limit{};
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

// What loading and attaching took, and is not needed to follow what comes later. To keep: the tables and the links of new loops'
// perf events (BPF, PERFMON); memory, descriptors and files of other users' processes (SYS_PTRACE, DAC_READ_SEARCH); their
// network namespaces, and files that are mapped and gone (SYS_ADMIN); names of kernel functions, read when first wanted (SYSLOG).
Result<void> give_up_capabilities(bool has_command) {
	drop_bounding_set();
	constexpr unsigned nothing = CAP_BPF;
	return keep_capabilities({CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN, CAP_SYSLOG,
	                          has_command ? CAP_KILL : nothing}); // the command may have become another user
}

} // namespace

Result<FollowEnd> follow(const Settings &asked, const Outputs &outputs) {
	Settings settings = asked;
	Prepared prepared;
	std::vector<std::uint32_t> pids = settings.pids;
	for (const std::string &name : settings.names) {
		auto named = discovery::pids_named(name, prepared.proc);
		if (!named && settings.names.size() + settings.pids.size() == 1) {
			return named.error();
		}
		if (!named) {
			prepared.missing.push_back("'" + name + "', which was named: no process goes by that; " + named.error().advice);
			continue;
		}
		std::ranges::copy_if(*named, std::back_inserter(pids),
		                     [&](std::uint32_t pid) { return std::ranges::find(pids, pid) == pids.end(); });
	}
	if (pids.empty() && !settings.names.empty()) {
		return make_error("find a process that goes by '" + settings.names.front() + "'", {},
		                  "nor by another name that was given");
	}
	auto requests = discovery::requests_for(pids, settings.tids, settings.children, prepared.proc, prepared.missing);
	if (!requests) {
		return requests.error();
	}
	prepared.requests = std::move(*requests);
	prepared.workers = discovery::follow_workers(prepared.requests, prepared.proc);
	settings.children = settings.children || !prepared.workers.empty();
	if (settings.discovers()) {
		auto created = discovery::Discovery::create({settings.comms, settings.cgroups, asked.children}, prepared.proc);
		if (!created) {
			return created.error();
		}
		for (const std::string &expression : created->without_match()) {
			prepared.missing.push_back("no process that runs now has a name that matches '" + expression +
			                           "'; those that begin later are followed");
		}
		prepared.discovery.emplace(std::move(*created));
		allow_many_descriptors();
	}
	auto signals = take_signals();
	if (!signals) {
		return signals.error();
	}
	prepared.signals = std::move(*signals);
	collector::CollectorOptions options;
	options.threshold_ns = settings.threshold_ns;
	options.stack_bytes = settings.stack_bytes;
	options.max_loops = settings.max_loops;
	options.shared_slots = settings.discovers() || settings.children || settings.pids.size() > 1;
	options.discover = prepared.discovery.has_value();
	options.without = settings.without;
	options.process_history = settings.children;
	options.verbose = settings.verbosity == Verbosity::verbose;
	auto collector = collector::Collector::start(options);
	if (!collector) {
		return collector.error();
	}
	if (!settings.command.empty()) {
		auto forked = discovery::Launch::fork(settings.command);
		if (!forked) {
			return forked.error();
		}
		prepared.launch.emplace(std::move(*forked));
		prepared.requests.push_back({static_cast<std::uint32_t>(prepared.launch->pid()), settings.children, std::nullopt});
	}
	if (auto given_up = give_up_capabilities(prepared.launch.has_value()); !given_up) {
		return given_up.error();
	}
	// A kernel without seccomp still has what is above.
	(void)confine();
	Session session(settings, outputs, **collector, std::move(prepared));
	if (auto begun = session.begin(); !begun) {
		return begun.error();
	}
	session.run();
	return session.finish();
}

} // namespace loopsnoop::session

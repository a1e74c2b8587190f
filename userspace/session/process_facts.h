// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "inspect/children.h"
#include "inspect/last_holders.h"
#include "inspect/programs.h"
#include "inspect/resolver.h"
#include "inspect/tasks.h"
#include "inspect/throttle_watch.h"
#include "process/connections.h"
#include "session/context.h"
#include "session/process_history.h"

namespace loopsnoop::session {

// All that a session keeps by pid beside Processes, so that what an exec and an end mean for it stands once. Only Processes calls
// the functions; everybody may ask the members. One thread.
struct ProcessFacts {
	explicit ProcessFacts(const Context &context)
	    : programs(context.proc), children(context.proc), resolver(context.proc, programs, children), throttling(context.proc),
	      history(context.collector, context.proc, context.options.children), tasks(context.proc, programs),
	      connections(context.proc) {}

	// One of perhaps hundreds that discovery found: what does not change is read ever more rarely.
	void ask_rarely(std::uint32_t pid) {
		throttling.seldom(pid);
		programs.seldom(pid);
	}
	// The same process, another program: nothing that was read of its memory, files or names is true any more.
	void exec(std::uint32_t pid, const std::string &comm) {
		programs.exec(pid);
		last_holders.forget(pid);
		resolver.exec(pid);
		tasks.forget(pid);
		connections.forget(pid);
		programs.set_comm(pid, comm);
		history.exec(pid, comm);
	}
	// It is followed from now on.
	void began(std::uint32_t pid) { programs.follow(pid); }
	// After an exec it is for discovery to say whether the process is followed on: nobody reads its CPU limits until then.
	void left(std::uint32_t pid) {
		throttling.forget(pid);
		programs.unfollow(pid);
	}
	// The process has ended: whoever gets its pid is another one.
	void ended(const ProcessExit &exit) {
		history.ended(exit);
		forget(exit.pid);
	}
	// It ended before it could be followed, and was never part of the session.
	void never_seen(std::uint32_t pid) {
		history.forget(pid);
		forget(pid);
	}

	inspect::Programs programs;
	inspect::Children children;
	inspect::Resolver resolver;
	inspect::ThrottleWatch throttling;
	inspect::LastHolders last_holders;
	ProcessHistory history;
	inspect::TaskInspector tasks;
	process::Connections connections;

private:
	void forget(std::uint32_t pid) {
		programs.forget(pid);
		throttling.forget(pid);
		last_holders.forget(pid);
		resolver.forget(pid);
		tasks.forget(pid);
		connections.forget(pid);
	}
};

} // namespace loopsnoop::session

// SPDX-License-Identifier: Apache-2.0
// Which tracepoints there are, and which of them are hooked.
#include "collector/tracepoint_plan.h"

#include <algorithm>

#include "catch.h"
#include "fixture.h"

using namespace loopsnoop;
using namespace loopsnoop::collector;

namespace {

// Numbers from 1 on, as a kernel has them that knows all.
TracepointIds all_ids() {
	TracepointIds ids;
	for (const std::string &name : wanted_tracepoints()) {
		ids.emplace(name, static_cast<int>(ids.size()) + 1);
	}
	return ids;
}

bool has(const std::vector<std::pair<std::string, int>> &points, const std::string &name) {
	return std::ranges::find(points, name, &std::pair<std::string, int>::first) != points.end();
}

} // namespace

TEST_CASE("numbers of tracepoints are read from tracefs; those that this kernel does not have are left out") {
	const FixtureTree tracefs;
	tracefs.file("events/syscalls/sys_enter_poll/id", "712\n");
	tracefs.file("events/syscalls/sys_exit_poll/id", "711\n");
	tracefs.file("events/syscalls/sys_enter_select/id", "nonsense\n");
	tracefs.file("events/syscalls/sys_enter_futex/id", "0\n");
	const auto ids =
	    tracepoint_ids_in(tracefs.root(), {"syscalls/sys_enter_poll", "syscalls/sys_exit_poll", "syscalls/sys_enter_select",
	                                       "syscalls/sys_enter_futex", "syscalls/sys_enter_futex_waitv"});
	REQUIRE(ids);
	CHECK(*ids == TracepointIds{{"syscalls/sys_enter_poll", 712}, {"syscalls/sys_exit_poll", 711}});
}

TEST_CASE("each poll call is hooked as it begins, and as it ends where that says something") {
	const TracepointPlan plan = plan_of(all_ids(), {}, false);
	CHECK(plan.per_call);
	CHECK(plan.why_not.empty());
	CHECK(has(plan.poll_enter, "syscalls/sys_enter_epoll_wait"));
	CHECK_FALSE(has(plan.poll_exit, "syscalls/sys_exit_epoll_wait"));
	CHECK(has(plan.poll_enter, "syscalls/sys_enter_select"));
	CHECK(has(plan.poll_exit, "syscalls/sys_exit_select"));
	CHECK(has(plan.restart, "syscalls/sys_enter_restart_syscall"));
	CHECK_FALSE(has(plan.poll_enter, "syscalls/sys_enter_restart_syscall"));
	CHECK(has(plan.call_enter, "syscalls/sys_enter_futex"));
	CHECK(has(plan.call_exit, "syscalls/sys_exit_futex"));
	CHECK(plan.open_enter.empty());
	CHECK(plan.rename_enter.empty());
	CHECK(plan.accept_exit.empty());
}

TEST_CASE("what processes did is hooked only where their lives are followed") {
	const TracepointPlan plan = plan_of(all_ids(), {}, true);
	CHECK(plan.open_enter.size() == 1);
	CHECK(plan.rename_enter.size() == 3);
	CHECK(plan.accept_exit.size() == 2);
}

TEST_CASE("a call of which one end has no tracepoint is not hooked at all") {
	TracepointIds ids = all_ids();
	ids.erase("syscalls/sys_exit_futex");
	ids.erase("syscalls/sys_enter_epoll_pwait2"); // before Linux 5.11
	const TracepointPlan plan = plan_of(ids, {}, false);
	CHECK(plan.per_call);
	CHECK_FALSE(has(plan.call_enter, "syscalls/sys_enter_futex"));
	CHECK_FALSE(has(plan.call_exit, "syscalls/sys_exit_futex"));
	CHECK(has(plan.call_enter, "syscalls/sys_enter_fsync"));
	CHECK_FALSE(has(plan.poll_enter, "syscalls/sys_enter_epoll_pwait2"));
}

TEST_CASE("without tracepoints of poll calls every system call is hooked, and it is said why") {
	CHECK_FALSE(plan_of({}, {}, true).per_call);
	CHECK(plan_of({}, {}, true).why_not.find("CONFIG_FTRACE_SYSCALLS") != std::string::npos);
	const TracepointPlan off = plan_tracepoints({"tracefs"}, true);
	CHECK_FALSE(off.per_call);
	CHECK(off.why_not == "switched off by --without tracefs");
	CHECK(off.open_enter.empty());
}

TEST_CASE("lengths of file calls can be switched off by themselves") {
	const TracepointPlan plan = plan_of(all_ids(), {"file-tracepoints"}, false);
	CHECK(plan.per_call);
	CHECK(plan.call_enter.empty());
	CHECK(plan.call_exit.empty());
}

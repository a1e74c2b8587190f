// SPDX-License-Identifier: Apache-2.0
#include "collector/tracepoint_plan.h"

#include <array>
#include <string_view>

#include "collector/syscall_shapes.h"

namespace loopsnoop::collector {

namespace {

constexpr std::string_view restarted_poll_call = "restart_syscall"; // has no arguments, so a program of its own
constexpr std::array opens{"syscalls/sys_enter_openat"};
constexpr std::array renames{"syscalls/sys_enter_rename", "syscalls/sys_enter_renameat", "syscalls/sys_enter_renameat2"};
constexpr std::array accepts{"syscalls/sys_exit_accept", "syscalls/sys_exit_accept4"};

} // namespace

std::vector<std::string> wanted_tracepoints() {
	std::vector<std::string> names;
	for (const auto *calls : {&poll_call_names(), &measured_call_names()}) {
		for (const std::string &call : *calls) {
			names.push_back("syscalls/sys_enter_" + call);
			names.push_back("syscalls/sys_exit_" + call);
		}
	}
	names.insert(names.end(), opens.begin(), opens.end());
	names.insert(names.end(), renames.begin(), renames.end());
	names.insert(names.end(), accepts.begin(), accepts.end());
	return names;
}

TracepointPlan plan_of(const TracepointIds &ids, const std::set<std::string> &without, bool process_history) {
	TracepointPlan plan;
	const auto add = [&](const std::string &call, auto &enter, auto *exit) {
		const auto first = ids.find("syscalls/sys_enter_" + call);
		const auto second = ids.find("syscalls/sys_exit_" + call);
		if (first == ids.end() || second == ids.end()) {
			return;
		}
		enter.emplace_back(first->first, first->second);
		if (exit != nullptr) {
			exit->emplace_back(second->first, second->second);
		}
	};
	for (const std::string &call : poll_call_names()) {
		add(call, call == restarted_poll_call ? plan.restart : plan.poll_enter, end_is_hooked(call) ? &plan.poll_exit : nullptr);
	}
	if (!without.contains("file-tracepoints")) {
		for (const std::string &call : measured_call_names()) {
			add(call, plan.call_enter, &plan.call_exit);
		}
	}
	const auto add_points = [&](const auto &points, auto &to) {
		for (const std::string name : points) {
			if (const auto id = ids.find(name); process_history && id != ids.end()) {
				to.emplace_back(id->first, id->second);
			}
		}
	};
	add_points(opens, plan.open_enter);
	add_points(renames, plan.rename_enter);
	add_points(accepts, plan.accept_exit);
	plan.per_call = !plan.poll_enter.empty();
	if (!plan.per_call) {
		plan.why_not = "this kernel has no syscalls tracepoints (CONFIG_FTRACE_SYSCALLS)";
	}
	return plan;
}

TracepointPlan plan_tracepoints(const std::set<std::string> &without, bool process_history) {
	TracepointPlan none;
	if (without.contains("tracefs")) {
		none.why_not = "switched off by --without tracefs";
		return none;
	}
	const auto ids = tracepoint_ids(wanted_tracepoints());
	if (!ids) {
		none.why_not = ids.error().describe();
		return none;
	}
	return plan_of(*ids, without, process_history);
}

} // namespace loopsnoop::collector

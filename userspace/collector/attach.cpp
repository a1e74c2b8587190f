// SPDX-License-Identifier: Apache-2.0
#include "collector/attach.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"
#include "collector/leaving.h"

namespace loopsnoop::collector {

namespace {

// A classic tracepoint by its number. The program sees every hit of it on the host; the event itself counts nothing.
Result<Attachment> attach_tracepoint(bpf_program *program, const std::string &name, int id) {
	perf_event_attr attr{};
	attr.type = PERF_TYPE_TRACEPOINT;
	attr.size = sizeof(attr);
	attr.config = static_cast<std::uint64_t>(id);
	const long fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0) {
		return errno_error("open the tracepoint", name, "run as root");
	}
	UniqueFd event(static_cast<int>(fd));
	Link link(bpf_program__attach_perf_event(program, event.get()));
	if (link == nullptr) {
		return errno_error("attach to the tracepoint", name);
	}
	return Attachment{std::move(link), event.release()}; // the link owns the event now
}

Result<Attachment> attach_plain(bpf_program *program) {
	Link link(bpf_program__attach(program));
	if (link == nullptr) {
		return errno_error("attach a BPF program", bpf_program__name(program));
	}
	return Attachment{std::move(link)};
}

} // namespace

Result<Attachments> attach_programs(loopsnoop_bpf &skeleton, const TracepointPlan &plan, bool process_history) {
	Attachments attached;
	std::vector<bpf_program *> plain{skeleton.progs.on_fork, skeleton.progs.on_exec, skeleton.progs.on_exit,
	                                 skeleton.progs.on_switch, skeleton.progs.on_waking};
	if (!plan.per_call) {
		plain.push_back(skeleton.progs.on_any_enter);
		plain.push_back(skeleton.progs.on_any_exit);
		attached.missing.push_back("poll calls are followed by hooks on every system call, which cost more: " + plan.why_not);
	}
	if (process_history) {
		plain.push_back(skeleton.progs.on_signal);
		if (plan.open_enter.empty() || plan.accept_exit.empty()) {
			attached.missing.emplace_back("which files the followed processes wrote, and whether they accepted connections: " +
			                              (plan.why_not.empty() ? "their tracepoints are not there" : plan.why_not));
		}
	}
	if (plan.call_enter.empty()) {
		attached.missing.emplace_back("whole lengths and results of futex and file calls: their tracepoints are not attached");
	}
	for (bpf_program *program : plain) {
		auto attachment = attach_plain(program);
		if (!attachment) {
			return attachment.error();
		}
		attached.links.push_back(std::move(*attachment));
	}
	struct Group {
		bpf_program *program;
		const std::vector<std::pair<std::string, int>> *points;
	};
	// Exits first: an iteration that is never seen to begin is better than one that is never seen to end.
	for (const Group &group :
	     {Group{skeleton.progs.on_poll_exit, &plan.poll_exit}, Group{skeleton.progs.on_poll_enter, &plan.poll_enter},
	      Group{skeleton.progs.on_restart, &plan.restart}, Group{skeleton.progs.on_call_exit, &plan.call_exit},
	      Group{skeleton.progs.on_call_enter, &plan.call_enter}, Group{skeleton.progs.on_open_enter, &plan.open_enter},
	      Group{skeleton.progs.on_rename_enter, &plan.rename_enter}, Group{skeleton.progs.on_accept_exit, &plan.accept_exit}}) {
		for (const auto &[name, id] : *group.points) {
			auto attachment = attach_tracepoint(group.program, name, id);
			if (!attachment) {
				return attachment.error();
			}
			attached.links.push_back(std::move(*attachment));
		}
	}
	return attached;
}

void detach(std::vector<Attachment> &attached) {
	// What runs most goes first. Then what was attached last: a loopsnoop that starts meanwhile attaches in the other direction,
	// and a tracepoint that both hold is let go without waiting.
	std::vector<int> descriptors;
	for (const Attachment &each : attached) {
		if (each.event < 0) {
			descriptors.push_back(bpf_link__fd(each.link.get()));
		}
	}
	for (std::size_t i = attached.size(); i-- > 0;) {
		const Attachment &each = attached[i];
		if (each.event >= 0) {
			descriptors.push_back(bpf_link__fd(each.link.get()));
			if (each.event != descriptors.back()) { // one and the same before bpf_link of perf events (Linux 5.15)
				descriptors.push_back(each.event);
			}
		}
	}
	if (!descriptors.empty() && close_elsewhere(std::move(descriptors))) {
		for (const Attachment &each : attached) {
			bpf_link__disconnect(each.link.get()); // its descriptors are closed already
		}
	}
	attached.clear();
}

} // namespace loopsnoop::collector

// SPDX-License-Identifier: Apache-2.0
#include "empty_programs.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collector/syscall_shapes.h"
#include "collector/tracepoints.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-cast"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include "empty.skel.h"
#pragma GCC diagnostic pop

namespace loopsnoop::bench {

void EmptyPrograms::Destroy::operator()(empty_bpf *skeleton) const { empty_bpf__destroy(skeleton); }
void EmptyPrograms::Destroy::operator()(bpf_link *link) const { bpf_link__destroy(link); }

Result<void> EmptyPrograms::attach_to(bpf_program *program, int tracepoint_id) {
	perf_event_attr attr{};
	attr.type = PERF_TYPE_TRACEPOINT;
	attr.size = sizeof(attr);
	attr.config = static_cast<std::uint64_t>(tracepoint_id);
	const long fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0) {
		return errno_error("open a tracepoint");
	}
	bpf_link *link = bpf_program__attach_perf_event(program, static_cast<int>(fd));
	if (link == nullptr) {
		return errno_error("attach an empty program", bpf_program__name(program));
	}
	links_.emplace_back(link);
	return {};
}

Result<EmptyPrograms> EmptyPrograms::attach() {
	EmptyPrograms self;
	self.skeleton_.reset(empty_bpf__open_and_load());
	if (self.skeleton_ == nullptr) {
		return errno_error("load the empty programs");
	}
	auto &programs = self.skeleton_->progs;
	for (bpf_program *program :
	     {programs.empty_fork, programs.empty_exec, programs.empty_exit, programs.empty_switch, programs.empty_waking}) {
		bpf_link *link = bpf_program__attach(program);
		if (link == nullptr) {
			return errno_error("attach an empty program", bpf_program__name(program));
		}
		self.links_.emplace_back(link);
	}
	for (const auto *calls : {&collector::poll_call_names(), &collector::measured_call_names()}) {
		for (const std::string &call : *calls) {
			const std::string enter = "syscalls/sys_enter_" + call;
			const std::string exit = "syscalls/sys_exit_" + call;
			const auto ids = collector::tracepoint_ids({enter, exit});
			if (!ids) {
				return ids.error();
			}
			if (!ids->contains(enter) || !ids->contains(exit)) {
				continue; // a call that this kernel does not have
			}
			if (auto attached = self.attach_to(programs.empty_sys_enter, ids->at(enter)); !attached) {
				return attached.error();
			}
			if (calls == &collector::poll_call_names() && !collector::end_is_hooked(call)) {
				continue;
			}
			if (auto attached = self.attach_to(programs.empty_sys_exit, ids->at(exit)); !attached) {
				return attached.error();
			}
		}
	}
	return self;
}

} // namespace loopsnoop::bench

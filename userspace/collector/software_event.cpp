// SPDX-License-Identifier: Apache-2.0
#include "collector/software_event.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace loopsnoop::collector {

Result<UniqueFd> open_software_event(std::uint32_t tid, std::uint64_t event, std::uint64_t period) {
	perf_event_attr attr{};
	attr.type = PERF_TYPE_SOFTWARE;
	attr.size = sizeof(attr);
	attr.config = event;
	attr.sample_period = period; // NOLINT(cppcoreguidelines-pro-type-union-access): the kernel's type
	attr.disabled = 1;
	const long fd = syscall(SYS_perf_event_open, &attr, static_cast<pid_t>(tid), -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0) {
		return errno_error("open a perf event");
	}
	return UniqueFd(static_cast<int>(fd));
}

Result<SoftwareEvent> attach_software_event(std::uint32_t tid, std::uint64_t event, std::uint64_t period,
                                            const bpf_program *program) {
	auto opened = open_software_event(tid, event, period);
	if (!opened) {
		return opened.error();
	}
	SoftwareEvent attached;
	attached.link.reset(bpf_program__attach_perf_event(program, opened->get())); // libbpf enables what it attaches to
	if (attached.link == nullptr) {
		return errno_error("attach to a perf event");
	}
	attached.descriptor = opened->release();
	return attached;
}

} // namespace loopsnoop::collector

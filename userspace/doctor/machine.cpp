// SPDX-License-Identifier: Apache-2.0
#include "doctor/machine.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "arch/cpu.h"
#include "base/unique_fd.h"
#include "collector/collector.h"
#include "collector/kernel_version.h"
#include "collector/pid_level.h"
#include "collector/tracepoints.h"
#include "process/pseudo_file.h"
#include "process/text.h"
#include "stacks/kernel_symbols.h"

namespace loopsnoop::doctor {

namespace {

constexpr std::size_t small_file = 16UL * 1024;
constexpr std::string_view container_advice = "in a container: docker run --privileged --pid=host";

struct Right {
	unsigned capability;
	unsigned includes_it; // this one does as well
	std::string_view name;
	std::string_view without; // what is missing without it; empty: nothing works
};
// As the kernel asks for them: bpf_capable() and perfmon_capable() of include/linux/capability.h; tracefs is root's to read.
constexpr std::array rights_used{
    Right{CAP_BPF, CAP_SYS_ADMIN, "CAP_BPF", {}},
    Right{CAP_PERFMON, CAP_SYS_ADMIN, "CAP_PERFMON", {}},
    Right{CAP_SYS_PTRACE, CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "memory and descriptors of other users' processes stay closed"},
    Right{CAP_SYS_ADMIN, CAP_SYS_ADMIN, "CAP_SYS_ADMIN",
          "tracefs is not mounted, and replaced files and other network namespaces stay closed"},
    Right{CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE, "CAP_DAC_READ_SEARCH", "tracefs and files of other users stay closed"},
};

bool holds(std::uint64_t rights, const Right &right) {
	return ((rights >> right.capability) & 1U) != 0 || ((rights >> right.includes_it) & 1U) != 0;
}

// Its text without blanks at the ends; nullopt: cannot be read.
std::optional<std::string> line_of(const std::string &path) {
	auto text = process::read_pseudo_file(path, small_file).to_optional();
	while (text && !text->empty() && (text->back() == '\n' || text->back() == ' ')) {
		text->pop_back();
	}
	return text;
}

Check check_kernel(const Machine &machine) {
	Check check{"kernel", Health::ok, "kernel " + machine.release + " (" + machine.architecture + ")", {}, {}};
	const auto version = collector::kernel_version(machine.release);
	const std::string btf = machine.sys + "/kernel/btf/vmlinux";
	if (machine.architecture != arch::name) {
		check.health = Health::fail;
		check.found += ": loopsnoop knows the registers of x86-64 only";
		check.advice = "follow a program on an x86-64 machine";
	} else if (access(btf.c_str(), R_OK) != 0) {
		check.health = Health::fail;
		check.detail = btf + ": " + std::strerror(errno); // NOLINT(concurrency-mt-unsafe): one thread
		check.found += " without BTF: where its fields lie cannot be known";
		check.advice = "use a kernel with CONFIG_DEBUG_INFO_BTF=y (Debian 11, Ubuntu 20.10, RHEL 8.2 and newer have it); in a "
		               "container, /sys must be that of the host";
	} else {
		check.found += ", BTF present";
		check.detail = btf;
		// Not by its number alone: what Red Hat calls 5.14 has the BPF of a much newer one. Whether the programs load is a check
		// of its own.
		if (version && *version < collector::oldest_kernel) {
			check.health = Health::warn;
			check.found += "; older than 5.15, whose BPF programs are the first to see the registers of a sleeping thread";
			check.advice = "if the programs do not load, use Linux 5.15 or newer";
		}
	}
	return check;
}

std::optional<Check> check_lockdown(const Machine &machine) {
	const auto text = line_of(machine.sys + "/kernel/security/lockdown");
	const auto mode = text ? lockdown_mode(*text) : std::nullopt;
	if (!mode) {
		return std::nullopt; // not in this kernel, or securityfs is not mounted: the start of the programs shows it
	}
	if (*mode == "confidentiality") {
		return Check{"lockdown", Health::fail,
		             "kernel lockdown is set to confidentiality: no BPF program may read kernel or user memory",
		             "boot with lockdown=integrity (or lockdown=none) on the kernel's command line", *text};
	}
	return Check{"lockdown",
	             Health::ok,
	             *mode == "none" ? "kernel lockdown is off"
	                             : "kernel lockdown (" + std::string(*mode) + ") does not forbid reading",
	             {},
	             *text};
}

std::optional<Check> check_jit(const Machine &machine) {
	const auto text = line_of(machine.proc + "/sys/net/core/bpf_jit_enable");
	if (!text) {
		return std::nullopt; // root's to read, and not there in other network namespaces
	}
	if (*text == "0") {
		return Check{"jit",
		             Health::warn,
		             "the BPF JIT is off: programs are interpreted, and each event costs the target many times more",
		             "sysctl -w net.core.bpf_jit_enable=1",
		             {}};
	}
	return Check{"jit", Health::ok, "BPF JIT on", {}, "net.core.bpf_jit_enable = " + *text};
}

std::optional<Check> check_namespaces(const Machine &machine) {
	const auto map = process::read_pseudo_file(machine.proc + "/self/uid_map", small_file);
	if (map && !is_host_uid_map(*map)) {
		return Check{"namespace", Health::fail,
		             "we are root of a user namespace only (a rootless container): that is no right to load BPF",
		             "run it as root of the host", *map};
	}
	if (collector::own_pid_level() > 0) {
		return Check{"namespace",
		             Health::ok,
		             "we are in a pid namespace (a container): processes in it can be followed",
		             "for those of the host, start the container with --pid=host",
		             {}};
	}
	return std::nullopt;
}

// nullopt: there are none. The programs' start says so then, with what it means.
std::optional<Check> check_tracepoints() {
	const auto ids = collector::tracepoint_ids({"syscalls/sys_enter_epoll_wait", "syscalls/sys_exit_epoll_wait"});
	if (!ids || ids->empty()) {
		return std::nullopt;
	}
	for (const char *root : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
		if (access((std::string(root) + "/events/syscalls").c_str(), R_OK) == 0) {
			return Check{"tracefs", Health::ok, "system call tracepoints, tracefs at " + std::string(root), {}, {}};
		}
	}
	return Check{
	    "tracefs", Health::ok, "system call tracepoints; tracefs is not mounted, loopsnoop mounts it for itself alone", {}, {}};
}

// The event that Collector::sample opens for a loop thread, here for ourselves.
Check check_samples(const Machine &machine) {
	perf_event_attr attr{};
	attr.type = PERF_TYPE_SOFTWARE;
	attr.size = sizeof(attr);
	attr.config = PERF_COUNT_SW_CPU_CLOCK;
	attr.sample_period = collector::Collector::max_sample_period_ns; // NOLINT(cppcoreguidelines-pro-type-union-access)
	const long opened = syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	const int reason = errno;
	const UniqueFd event(static_cast<int>(opened));
	const auto paranoid = line_of(machine.proc + "/sys/kernel/perf_event_paranoid");
	std::string detail = "kernel.perf_event_paranoid = " + paranoid.value_or("not readable");
	if (event.valid()) {
		return {"samples", Health::ok, "perf events: stacks of iterations that compute", {}, std::move(detail)};
	}
	return {"samples", Health::warn,
	        std::string("no perf events (") + std::strerror(reason) + // NOLINT(concurrency-mt-unsafe): one thread
	            "): iterations that compute are reported without a stack",
	        "add CAP_PERFMON (kernels whose perf_event_paranoid can be 3, as Debian's and Ubuntu's, want CAP_SYS_ADMIN), or "
	        "sysctl -w kernel.perf_event_paranoid=1; a container's seccomp profile may forbid them, too",
	        std::move(detail)};
}

Check check_kernel_symbols(const Machine &machine) {
	stacks::KernelSymbols symbols(machine.proc + "/kallsyms");
	const auto restrict = line_of(machine.proc + "/sys/kernel/kptr_restrict");
	const std::string detail = "kernel.kptr_restrict = " + restrict.value_or("not readable");
	if (symbols.size() == 0 && !symbols.hidden()) {
		return {"kallsyms", Health::warn, "no kernel symbols (" + machine.proc + "/kallsyms): kernel stacks are bare addresses",
		        "a kernel with CONFIG_KALLSYMS=y has them", detail};
	}
	if (symbols.hidden()) {
		return {"kallsyms", Health::warn, "kernel addresses are hidden: kernel stacks are bare addresses",
		        restrict == "2" ? "sysctl -w kernel.kptr_restrict=1" : "run it as root, or add CAP_SYSLOG", detail};
	}
	return {"kallsyms", Health::ok, "kernel symbols (" + std::to_string(symbols.size()) + " functions)", {}, detail};
}

} // namespace

std::optional<std::uint64_t> effective_capabilities(std::string_view status) {
	constexpr std::string_view key = "CapEff:";
	while (const auto line = process::take_line(status)) {
		if (line->starts_with(key)) {
			return process::parse_number<std::uint64_t>(process::Words(line->substr(key.size())).next(), 16);
		}
	}
	return std::nullopt;
}

Check judge_rights(std::optional<std::uint64_t> rights, std::uint32_t uid) {
	const std::string who = uid == 0 ? "root" : "uid " + std::to_string(uid);
	if (!rights) {
		return {"rights", Health::warn, "which capabilities we have cannot be read (/proc/self/status)", "mount /proc", {}};
	}
	std::string lacking;
	std::string meaning;
	for (const Right &right : rights_used) {
		// root may read root's files without a capability
		if (holds(*rights, right) || (right.capability == CAP_DAC_READ_SEARCH && uid == 0)) {
			continue;
		}
		if (!right.without.empty() && !lacking.empty() && meaning.empty()) {
			break; // one that nothing works without is enough to report
		}
		lacking += (lacking.empty() ? "" : ", ") + std::string(right.name);
		meaning += (meaning.empty() ? "" : ", ") + std::string(right.without);
	}
	if (lacking.empty()) {
		return {"rights", Health::ok, who + ", with the capabilities that are needed", {}, {}};
	}
	const std::string advice(uid == 0 ? container_advice : "run it as root: sudo loopsnoop …");
	if (meaning.empty()) {
		return {"rights", Health::fail, who + " without " + lacking + " may not load BPF programs", advice, {}};
	}
	return {"rights", Health::warn, who + " without " + lacking + ": " + meaning, advice, {}};
}

std::optional<std::string_view> lockdown_mode(std::string_view text) {
	const std::size_t begin = text.find('[');
	const std::size_t end = text.find(']', begin);
	if (begin == std::string_view::npos || end == std::string_view::npos) {
		return std::nullopt;
	}
	return text.substr(begin + 1, end - begin - 1);
}

bool is_host_uid_map(std::string_view text) {
	// One line over all ids, user_namespaces(7); a child namespace may be given the very same map, by root only.
	const auto line = process::take_line(text);
	process::Words words(line.value_or(""));
	const std::string_view inside = words.next();
	const std::string_view outside = words.next();
	return text.empty() && inside == "0" && outside == "0" && words.next() == "4294967295";
}

Machine this_machine() {
	Machine machine;
	utsname names{};
	uname(&names);
	machine.release = names.release;
	machine.architecture = names.machine;
	machine.uid = geteuid();
	return machine;
}

std::vector<Check> examine_machine(const Machine &machine) {
	const auto status = process::read_pseudo_file(machine.proc + "/self/status", small_file);
	std::vector<Check> checks;
	auto namespaces = check_namespaces(machine);
	if (!namespaces || namespaces->health == Health::ok) { // in another user namespace they say nothing
		checks.push_back(judge_rights(status ? effective_capabilities(*status) : std::nullopt, machine.uid));
	}
	if (namespaces) {
		checks.push_back(std::move(*namespaces));
	}
	checks.push_back(check_kernel(machine));
	for (const auto &check : {check_lockdown(machine), check_jit(machine)}) {
		if (check) {
			checks.push_back(*check);
		}
	}
	return checks;
}

std::vector<Check> examine_extras(const Machine &machine) {
	std::vector<Check> checks;
	if (auto tracepoints = check_tracepoints()) {
		checks.push_back(std::move(*tracepoints));
	}
	checks.push_back(check_samples(machine));
	checks.push_back(check_kernel_symbols(machine));
	return checks;
}

} // namespace loopsnoop::doctor

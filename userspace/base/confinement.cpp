// SPDX-License-Identifier: Apache-2.0
#include "base/confinement.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "arch/cpu.h"

namespace loopsnoop {

namespace {

// None of them is called by loopsnoop, by libbpf or by libc on its behalf once everything is attached.
constexpr std::array forbidden {
	// other programs and other processes
	SYS_execve, SYS_execveat, SYS_process_vm_writev, SYS_kcmp, SYS_process_madvise,
#if !defined(__SANITIZE_ADDRESS__) // which finds leaks by it
	    SYS_ptrace,
#endif
	    // users and roots
	    SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid,
	    SYS_setgroups, SYS_chroot, SYS_pivot_root, SYS_unshare, SYS_personality,
	    // mounts, but for those of fsopen(), which tracefs is read through
	    SYS_mount, SYS_umount2, SYS_mount_setattr, SYS_swapon, SYS_swapoff, SYS_quotactl,
	    // the kernel itself
	    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load, SYS_reboot, SYS_syslog,
	    SYS_acct,
	    // clocks and names
	    SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime, SYS_sethostname, SYS_setdomainname,
	    // keys, and interfaces that are large and not used
	    SYS_add_key, SYS_request_key, SYS_keyctl, SYS_userfaultfd, SYS_io_uring_setup, SYS_open_by_handle_at
};

sock_filter statement(std::uint16_t code, std::uint32_t value) { return {code, 0, 0, value}; }
sock_filter jump(std::uint16_t code, std::uint32_t value, std::size_t if_true, std::size_t if_false) {
	return {code, static_cast<std::uint8_t>(if_true), static_cast<std::uint8_t>(if_false), value};
}

constexpr std::uint16_t load = BPF_LD | BPF_W | BPF_ABS;
constexpr std::uint16_t if_equal = BPF_JMP | BPF_JEQ | BPF_K;
constexpr std::uint16_t give_back = BPF_RET | BPF_K;
constexpr std::uint32_t allow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t refuse = SECCOMP_RET_ERRNO | EPERM;

// Memory that may be run: `call` with all of `protection` set in its third argument (mmap's and mprotect's) is refused.
void refuse_protection(std::vector<sock_filter> &program, std::uint32_t call, std::uint32_t protection) {
	constexpr std::uint32_t third = offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t); // the low half: little endian
	program.push_back(jump(if_equal, call, 0, 5));
	program.push_back(statement(load, third));
	program.push_back(statement(BPF_ALU | BPF_AND | BPF_K, protection));
	program.push_back(jump(if_equal, protection, 0, 1));
	program.push_back(statement(give_back, refuse));
	program.push_back(statement(give_back, allow));
}

std::vector<sock_filter> filter() {
	std::vector<sock_filter> program{
	    statement(load, offsetof(seccomp_data, arch)),
	    jump(if_equal, arch::audit_arch, 1, 0),
	    statement(give_back, refuse), // another CPU's calls have other numbers
	    statement(load, offsetof(seccomp_data, nr)),
	    jump(BPF_JMP | BPF_JGE | BPF_K, arch::syscalls_end, 0, 1),
	    statement(give_back, refuse),
	};
	const auto refuse_call = [&](long call) {
		program.push_back(jump(if_equal, static_cast<std::uint32_t>(call), 0, 1));
		program.push_back(statement(give_back, refuse));
	};
	std::ranges::for_each(forbidden, refuse_call);
	std::ranges::for_each(arch::forbidden_syscalls, refuse_call);
	refuse_protection(program, SYS_mmap, PROT_WRITE | PROT_EXEC);
	refuse_protection(program, SYS_mprotect, PROT_WRITE | PROT_EXEC);
	program.push_back(statement(give_back, allow));
	return program;
}

} // namespace

Result<void> confine() {
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		return errno_error("give up new privileges");
	}
	std::vector<sock_filter> instructions = filter();
	const sock_fprog program{static_cast<std::uint16_t>(instructions.size()), instructions.data()};
	// TSYNC: threads that are there already, too. A positive result is the id of a thread that could not follow.
	if (const long got = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program); got != 0) {
		return got > 0 ? make_error("confine every thread") : errno_error("install the seccomp filter");
	}
	return {};
}

void drop_bounding_set() {
	for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++) {
		(void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	}
	(void)prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0);
}

} // namespace loopsnoop
